// Reads, checks and writes values as documents: the domain's port Documents.
// What a text holds may come from anybody, so all that can take long runs under a time limit.

import type { ContentType, Documents, Problem } from '../domain/config/document.ts';
import { attempt } from './flaw.ts';
import { pointerOf } from './json-pointer.ts';
import { type Document, dataOf, isSlowToRead, readDocument } from './read-document.ts';
import { readEntries } from './read-entries.ts';
import type { Violation } from './schema-problems.ts';
import { createSchemas } from './schemas.ts';
import { createTimeLimits, type TimeLimit } from './time-limit.ts';
import { writeEntries } from './write-entries.ts';

/** A few milliseconds are enough for what is meant well, but a machine may be busy. */
const MAX_MS = 2_000;
const MAX_VIOLATIONS = 20;
const SLOW_TO_READ = 'takes too long to read';

/** Creates it. */
export function createDocuments(): Documents {
  const timeLimit = createTimeLimits();
  const schemas = createSchemas();
  return {
    parse(contentType, text) {
      const read = attempt(() => dataOf(readWithin(timeLimit(MAX_MS), contentType, text)));
      return read.kind === 'done' ? { kind: 'data', data: read.value } : read;
    },
    schemaProblem(schema) {
      const done = attempt(() => schemas.require(schema, timeLimit(MAX_MS)));
      return done.kind === 'problem' ? done.problem : undefined;
    },
    violations(schema, contentType, text) {
      const limit = timeLimit(MAX_MS);
      const done = attempt(() => {
        const document = readWithin(limit, contentType, text);
        const found = schemas.check(schema, dataOf(document), limit, MAX_VIOLATIONS);
        return located(found, document, limit);
      });
      return done.kind === 'done' ? done.value : [done.problem];
    },
    write(format, entries) {
      const done = attempt(() =>
        timeLimit(MAX_MS).run(() => writeEntries(format, entries), 'takes too long to write'),
      );
      return done.kind === 'done' ? { kind: 'text', text: done.value } : done;
    },
    read(format, text) {
      const done = attempt(() => timeLimit(MAX_MS).run(() => readEntries(format, text), SLOW_TO_READ));
      return done.kind === 'done' ? { kind: 'entries', entries: done.value } : done;
    },
  };
}

function readWithin(limit: TimeLimit, contentType: ContentType, text: string): Document {
  if (!isSlowToRead(contentType, text)) return readDocument(contentType, text);
  return limit.run(() => readDocument(contentType, text), SLOW_TO_READ);
}

/** A line that takes too long to find is not known. */
function located(violations: readonly Violation[], document: Document, limit: TimeLimit): readonly Problem[] {
  // Nearly always: and a limit costs as much as the check itself.
  if (violations.length === 0) return [];
  const done = attempt(() =>
    limit.run(() => violations.map(({ path }) => document.lineOf(path)), SLOW_TO_READ),
  );
  const lines = done.kind === 'done' ? done.value : [];
  return violations.map(({ message, path }, i) => ({ message, path: pointerOf(path), line: lines[i] ?? 0 }));
}
