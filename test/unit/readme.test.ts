import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { create, type DescService, fromJsonString } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { codeToHttpStatus } from '@connectrpc/connect/protocol-connect';
import { describe, expect, it } from 'vitest';
import { ConfigService } from '../../gen/concord/config/v1/config_service_pb.ts';
import { DiscoveryService } from '../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { ElectionService } from '../../gen/concord/election/v1/election_service_pb.ts';
import { ErrorReasonSchema } from '../../gen/concord/error/v1/error_reason_pb.ts';
import { KvService } from '../../gen/concord/kv/v1/kv_service_pb.ts';
import { LeaseService } from '../../gen/concord/lease/v1/lease_service_pb.ts';
import { LockService } from '../../gen/concord/lock/v1/lock_service_pb.ts';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import type { ErrorReason } from '../../src/domain/errors.ts';
import { checkDataVersion } from '../../src/embedded/data-version.ts';
import { reasonError } from '../../src/rpc/checks/errors.ts';
import { settingsTable } from '../../src/settings/document.ts';
import { maskPrinted } from '../support/mask-printed.ts';
import { openTempDir } from '../support/open-temp-dir.ts';
import { readAnchors, readFencedBlocks, readLinks } from '../support/read-markdown.ts';
import { readRpcCommands } from '../support/read-rpc-commands.ts';

const READMES = ['README.md', 'README.zh-CN.md'];
const DOCUMENTS = [
  ...READMES,
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
/** Rpcs that do not end by themselves: not every tool has a command for them that does. */
const ENDLESS = ['Watch'];

const english = readFileSync('README.md', 'utf8');
const chinese = readFileSync('README.zh-CN.md', 'utf8');
const errors = readFileSync('docs/errors.md', 'utf8');

describe('the READMEs', () => {
  it('show the same commands and answers', () => {
    const blocksOf = (text: string) =>
      readFencedBlocks(text).map(({ language, text }) => `${language}\n${text}`);
    expect(blocksOf(chinese)).toEqual(blocksOf(english));
  });

  it('have the same sections', () => {
    const outlineOf = (text: string) => text.match(/^(#+ |```\w|\| |- |\d\. |<!--)/gm);
    expect(outlineOf(chinese)).toEqual(outlineOf(english));
  });

  it.each(READMES)('hold the settings as they are: %s', (name) => {
    const [, table = ''] =
      /<!-- settings: written by npm run generate -->\n([\s\S]*?)<!-- end of settings -->/.exec(
        readFileSync(name, 'utf8'),
      ) ?? [];
    expect(table.trim()).toBe(settingsTable());
  });
});

describe('the commands of the README', () => {
  const commands = readFencedBlocks(english).flatMap(({ language, text }) =>
    language === 'sh' ? readRpcCommands(text) : [],
  );
  const services = new Map<string, DescService>(
    [KvService, LeaseService, LockService, ElectionService, DiscoveryService, ConfigService, Health].map(
      (service) => [service.typeName, service],
    ),
  );

  it('call each rpc with each tool', () => {
    for (const tool of ['curl', 'grpcurl', 'buf curl']) {
      const methods = commands
        .filter((command) => command.tool === tool && command.service === KvService.typeName)
        .map(({ method }) => method);
      const all = KvService.methods.map(({ name }) => name).filter((name) => !ENDLESS.includes(name));
      expect(
        all.filter((name) => !methods.includes(name)),
        tool,
      ).toEqual([]);
    }
  });

  it('name rpcs and fields that the contract has', () => {
    for (const { service, method, request = '{}' } of commands) {
      const descriptor = services.get(service)?.methods.find(({ name }) => name === method);
      if (descriptor === undefined) throw new Error(`there is no rpc ${service}/${method}`);
      expect(() => fromJsonString(descriptor.input, request), `${method} ${request}`).not.toThrow();
      if (request !== '{}')
        expect(fromJsonString(descriptor.input, request)).not.toEqual(create(descriptor.input));
    }
  });

  it('show the refusal of data of another etcd as it is', async () => {
    const shown = readFencedBlocks(english).find(({ text }) => text.startsWith('concord: the data in'));
    await using folder = await openTempDir();
    await writeFile(join(folder.path, 'etcd.version'), '3.6.14\n');
    const refusal = await checkDataVersion(folder.path, '3.4.23').then(
      () => undefined,
      (error: Error) => `concord: ${error.message}`,
    );
    expect(maskPrinted(String(refusal))).toBe(maskPrinted(shown?.text ?? ''));
  });
});

describe.each(DOCUMENTS)('%s', (name) => {
  it('links to files and headings that exist', () => {
    const dead = readLinks(readFileSync(name, 'utf8'))
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? name : join(dirname(name), path);
        if (!existsSync(file)) return true;
        return anchor !== undefined && !readAnchors(readFileSync(file, 'utf8')).includes(anchor);
      });
    expect(dead).toEqual([]);
  });
});

describe('the guides', () => {
  it.each([
    [LeaseService, 'docs/coordination.md'],
    [LockService, 'docs/coordination.md'],
    [ElectionService, 'docs/coordination.md'],
    [DiscoveryService, 'docs/discovery.md'],
    [ConfigService, 'docs/config.md'],
  ])('name each rpc: $0.typeName', ({ methods }, file) => {
    const guide = readFileSync(file, 'utf8');
    const named = [...guide.matchAll(/`(\w+)`|(?:Service|\$url)\/(\w+)|for rpc in ([\w ]+);/g)].flatMap(
      ([, ...names]) => names.flatMap((name) => name?.split(' ') ?? []),
    );
    expect(methods.map(({ name }) => name).filter((name) => !named.includes(name))).toEqual([]);
  });
});

describe('docs/errors.md', () => {
  it('has a row for each reason, in the words of the contract', () => {
    const rows = errors.split('\n').filter((line) => /^\| `[A-Z_]+` \| [A-Z_]+ \|/.test(line));
    expect(rows).toEqual(
      readReasons().map(({ reason, code, text }) => `| \`${reason}\` | ${code} | ${text} |`),
    );
  });

  it('gives each reason the code that it is sent with', () => {
    const sent = readReasons().map(({ reason }) => [
      reason,
      codeName(reasonError(reason as ErrorReason, '').code),
    ]);
    expect(sent).toEqual(readReasons().map(({ reason, code }) => [reason, code]));
  });

  it('gives each code the HTTP status that it is sent with', () => {
    const rows = [...errors.matchAll(/^\| ([A-Z_]+) \| (\d+) \|/gm)].map(([, code, status]) => [
      code,
      Number(status),
    ]);
    const codes = [...new Set(readReasons().map(({ code }) => code))].sort();
    expect(rows).toEqual(codes.map((code) => [code, codeToHttpStatus(codeOf(code))]));
  });
});

/** The reasons of the contract with their comments: `CODE: what it means.` */
function readReasons() {
  const proto = readFileSync('proto/concord/error/v1/error_reason.proto', 'utf8');
  const values = [...proto.matchAll(/((?:^ *\/\/ .*\n)+) *ERROR_REASON_(\w+) = [1-9]\d*;/gm)];
  const reasons = values.map(([, comment = '', reason = '']) => {
    const words = comment
      .split('\n')
      .map((line) => line.trim().replace(/^\/\/ /, ''))
      .join(' ')
      .trim();
    const [, code = '', text = ''] = /^([A-Z_]+): (.*)$/.exec(words) ?? [];
    return { reason, code, text: text.charAt(0).toUpperCase() + text.slice(1) };
  });
  expect(reasons.map(({ reason }) => reason)).toEqual(
    ErrorReasonSchema.values.slice(1).map(({ localName }) => localName),
  );
  return reasons;
}

function codeName(code: Code): string {
  return (Code[code] ?? '').replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

function codeOf(name: string): Code {
  return Object.values(Code).find(
    (code): code is Code => typeof code === 'number' && codeName(code) === name,
  ) as Code;
}
