import { Flaw, MAX_DEPTH, TOO_DEEP } from './flaw.ts';

/** A value of a JSON text, with where it stands: from `start` to before `end`. */
export interface JsonNode {
  readonly start: number;
  readonly end: number;
  /** Of an object, in the order of the text. */
  readonly members?: ReadonlyMap<string, JsonNode>;
  /** Of an array. */
  readonly items?: readonly JsonNode[];
}

/** Of a JSON number; sticky. */
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const [TAB, LINE_FEED, RETURN, SPACE, QUOTE, BACKSLASH] = [9, 10, 13, 32, 34, 92];

/**
 * Reads a JSON text (RFC 8259) as a tree of places. Throws a flaw with the line where it is none, where it holds a member twice or a
 * number that is too large for a double, and where it is nested too deeply.
 *
 * `JSON.parse` says neither lines nor doubles, and what it says quotes the text.
 */
export function readJsonTree(text: string, maxDepth: number = MAX_DEPTH): JsonNode {
  const reader = new JsonReader(text, maxDepth);
  return reader.whole();
}

/** Returns whether a text is a JSON number, and one that a double can hold. */
export function isJsonNumber(text: string): boolean {
  NUMBER.lastIndex = 0;
  return NUMBER.exec(text)?.[0].length === text.length && Number.isFinite(Number(text));
}

/** Returns the line, from 1, on which a place of a text is. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** Returns where what a path says stands, or the part of it that is nearest. */
export function findInTree(root: JsonNode, path: readonly string[]): JsonNode {
  let node = root;
  for (const name of path) {
    const next = node.members?.get(name) ?? node.items?.[Number(name)];
    if (next === undefined) return node;
    node = next;
  }
  return node;
}

class JsonReader {
  readonly #text: string;
  readonly #maxDepth: number;
  #at = 0;

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  whole(): JsonNode {
    this.#skipSpace();
    const node = this.#value(0);
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail('must be JSON: something stands behind its end');
    return node;
  }

  #value(depth: number): JsonNode {
    const start = this.#at;
    switch (this.#text[start]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        this.#string();
        break;
      default:
        this.#literal();
    }
    return { start, end: this.#at };
  }

  #object(depth: number): JsonNode {
    const members = new Map<string, JsonNode>();
    const start = this.#enter(depth);
    while (!this.#closes('}', members.size)) {
      const at = this.#at;
      if (this.#text[at] !== '"') this.#fail('must be JSON: the name of a member is expected here');
      const name = this.#string();
      if (members.has(name)) this.#fail('must not hold a member twice', at);
      this.#skipSpace();
      if (this.#text[this.#at] !== ':') this.#fail('must be JSON: a colon is expected here');
      this.#at++;
      this.#skipSpace();
      members.set(name, this.#value(depth + 1));
    }
    return { start, end: this.#at, members };
  }

  #array(depth: number): JsonNode {
    const items: JsonNode[] = [];
    const start = this.#enter(depth);
    while (!this.#closes(']', items.length)) items.push(this.#value(depth + 1));
    return { start, end: this.#at, items };
  }

  #enter(depth: number): number {
    if (depth >= this.#maxDepth) this.#fail(TOO_DEEP);
    return this.#at++;
  }

  /** Passes the end of an object or array, or what stands before its next part. */
  #closes(end: string, parts: number): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] === end) {
      this.#at++;
      return true;
    }
    if (parts > 0) {
      if (this.#text[this.#at] !== ',') this.#fail(`must be JSON: a comma or ${end} is expected here`);
      this.#at++;
      this.#skipSpace();
    }
    return false;
  }

  #string(): string {
    const start = this.#at++;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) break;
      if (Number.isNaN(code)) this.#fail('must be JSON: a text does not end', start);
      if (code < SPACE) this.#fail('must be JSON: control characters in texts must be written as escapes');
      if (code === BACKSLASH) this.#take(ESCAPE, 'must be JSON: an escape that does not exist');
      else this.#at++;
    }
    this.#at++;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  #literal(): void {
    const start = this.#at;
    const code = this.#text.charCodeAt(start);
    if (code >= 97) {
      this.#take(WORD, 'must be JSON: a value is expected here');
      return;
    }
    const number = this.#take(NUMBER, 'must be JSON: a value is expected here');
    if (!Number.isFinite(Number(number))) this.#fail('must not hold a number as large as this', start);
  }

  #take(pattern: RegExp, message: string): string {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found === undefined) this.#fail(message);
    this.#at += found.length;
    return found;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== SPACE && code !== LINE_FEED && code !== RETURN && code !== TAB) return;
      this.#at++;
    }
  }

  #fail(message: string, at: number = this.#at): never {
    throw new Flaw(message, { line: lineAt(this.#text, at) });
  }
}
