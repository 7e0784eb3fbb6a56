// The README, block by block and in order, as a reader would run it.

import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findGrpcurl } from '../support/find-grpcurl.ts';
import { maskPrinted } from '../support/mask-printed.ts';
import { type FencedBlock, readFencedBlocks } from '../support/read-markdown.ts';
import { readRpcCommands } from '../support/read-rpc-commands.ts';
import { PINNED_NODE, type RunningConcord, runConcord } from '../support/run-concord.ts';
import { type ProgramOutcome, runProgram } from '../support/run-program.ts';
import { findOnPath, type TestProgram } from '../support/test-program.ts';

/** Headings whose shell is not run here, and why; every other block of shell is. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'Start it': 'it clones and installs',
  'From Python': 'it installs packages',
  'From Go': 'it installs modules',
  'An etcd cluster of yours': 'its addresses are examples',
  TLS: 'it runs in the foreground, with names of its own',
  Browsers: 'it runs in the foreground',
  Docker: 'it needs a daemon and images',
  'Tests and checks': 'it would run this test',
};
const ADDRESS = '127.0.0.1:8090';
/** What the guide to secrets has its readers make; the key is of bytes that are all zero. */
const SECRETS = { keys: `2026-11:${Buffer.alloc(32).toString('base64')}`, token: 'token-of-the-guide' };

const blocks = readFencedBlocks(readFileSync('README.md', 'utf8'));
const tools: ReadonlyMap<string, TestProgram> = new Map([
  ['curl', await findOnPath('curl')],
  ['grpcurl', await findGrpcurl()],
]);

let concord: RunningConcord;

beforeAll(async () => {
  concord = await runConcord({
    env: { CONCORD_SECRET_KEYS: SECRETS.keys, CONCORD_SECRET_TOKENS: SECRETS.token },
  });
});

afterAll(async () => {
  await concord?.[Symbol.asyncDispose]();
});

describe('the shell of the README', () => {
  for (const block of blocks.filter(({ language, heading }) => language === 'sh' && !(heading in NOT_RUN)))
    runs(block);

  it('is left out only under headings that there are', () => {
    const headings = new Set(
      blocks.filter(({ language }) => language === 'sh').map(({ heading }) => heading),
    );
    expect(Object.keys(NOT_RUN).filter((heading) => !headings.has(heading))).toEqual([]);
  });
});

describe.each(['docs/coordination.md', 'docs/discovery.md', 'docs/config.md', 'docs/http.md', 'docs/cli.md'])(
  'the shell of %s',
  (file) => {
    const shell = readFencedBlocks(readFileSync(file, 'utf8')).filter(({ language }) => language === 'sh');
    for (const block of shell) runs(block);
  },
);

describe('the TypeScript of the README', () => {
  for (const block of blocks.filter(({ language }) => language === 'ts')) {
    it(`in line ${block.line} runs`, async () => {
      const code = onTestAddress(block.text);
      const outcome = await runProgram(PINNED_NODE, ['--input-type=module-typescript', '--eval', code]);
      expect(outcome).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^hello/) });
    });
  }
});

describe('what the README shows of a start', () => {
  it('is what is printed', () => {
    const shown = blocks.find(({ text }) => text.startsWith('Concord '));
    expect(maskPrinted(concord.stdout)).toBe(maskPrinted(shown?.text ?? ''));
  });
});

describe('what the README shows of an etcd that does not answer', () => {
  it('is what is printed', async () => {
    const shown = blocks.find(({ text }) => text.includes('STORE_UNAVAILABLE'));
    await using alone = await runConcord({ env: { ETCD_ENDPOINTS: 'http://127.0.0.1:1' } });
    const response = await fetch(`${alone.url}/concord.kv.v1.KvService/Get`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"key":"greeting"}',
    });
    expect(maskPrinted(await response.text())).toEqual(maskPrinted(shown?.text ?? ''));
  });
});

describe('docs/operations.md', () => {
  it("names Concord's metrics, all of them and no others", async () => {
    const text = await (await fetch(`${concord.url}/metrics`)).text();
    const served = [...text.matchAll(/^# TYPE (concord_\w+)/gm)].flatMap(([, name]) => name ?? []);
    const named = readFileSync('docs/operations.md', 'utf8').matchAll(/`(concord_\w+)`/g);
    expect(new Set([...named].flatMap(([, name]) => name ?? []))).toEqual(new Set(served));
  });
});

/** Declares the test that a block of shell does what it shows. */
function runs(block: FencedBlock): void {
  const missing = missingTool(block);
  if (missing !== undefined) {
    it(`in line ${block.line}, under "${block.heading}", is not run: ${missing}`, () => {
      // What it sends is held against the contract in test/unit/readme.test.ts.
      expect(readRpcCommands(block.text).length + (block.text.match(/\bgrpcurl /gm)?.length ?? 0)).not.toBe(
        0,
      );
    });
    return;
  }
  it(`in line ${block.line}, under "${block.heading}", does what it shows`, async () => {
    const { exitCode, stdout, stderr } = await runShell(block.text);
    const isFailureShown = block.answer?.text.startsWith('ERROR:') === true;
    if (isFailureShown) expect(exitCode, stdout).not.toBe(0);
    else expect(exitCode, stderr).toBe(0);
    if (block.answer === undefined) return;
    expect(maskPrinted(isFailureShown ? stderr : stdout)).toEqual(maskPrinted(block.answer.text));
  });
}

/** Why a block cannot be run on this machine. */
function missingTool({ text }: FencedBlock): string | undefined {
  for (const [name, tool] of tools) {
    if (tool.kind === 'missing' && new RegExp(`\\b${name} `, 'm').test(text)) return tool.why;
  }
  return undefined;
}

function runShell(text: string): Promise<ProgramOutcome> {
  const grpcurl = tools.get('grpcurl');
  const folder = grpcurl?.kind === 'found' && grpcurl.path.includes('/') ? `${dirname(grpcurl.path)}:` : '';
  return runProgram('sh', ['-euc', onTestAddress(text)], {
    env: {
      PATH: `${folder}${process.env['PATH'] ?? ''}`,
      TOKEN: SECRETS.token,
      CONCORD_SERVER: concord.url,
    },
    timeoutMs: 55_000,
  });
}

function onTestAddress(text: string): string {
  return text.replaceAll(ADDRESS, new URL(concord.url).host);
}
