import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { openBrowser } from '../../support/open-browser.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import { servePage } from '../../support/serve-page.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway, type TestGateway } from '../../support/start-gateway.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';
import { curl } from './curl.ts';

const BROWSER_TIMEOUT_MS = 120_000;
const opened = await openBrowser();

let etcd: TestEtcd;
let gateway: TestGateway;
let clients: Clients;

beforeAll(async () => {
  etcd = await startEtcd();
  gateway = await startGateway([etcd.endpoint]);
  clients = openClients(gateway.url);
});

afterAll(async () => {
  if (opened.kind === 'open') await opened.browser.close();
  await gateway?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

/** A curl that goes on until it is disposed, and what it has printed. */
class RunningCurl implements Disposable {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;

  constructor(path: string, headers: readonly string[] = []) {
    const given = headers.flatMap((header) => ['-H', header]);
    this.#child = spawn('curl', ['-sS', '-N', ...given, gateway.url + path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { stdout } = this.#child;
    if (stdout !== null) createInterface(stdout).on('line', (line) => this.lines.push(line));
  }

  /** The messages so far. */
  get messages(): readonly Record<string, unknown>[] {
    return this.lines
      .filter((line) => line.startsWith('{') || line.startsWith('data: '))
      .map((line) => JSON.parse(line.replace('data: ', '')) as Record<string, unknown>);
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

const kinds = (running: RunningCurl) => running.messages.map(({ kind }) => kind);

describe('a stream by plain HTTP', () => {
  it('is a line of JSON a message, each as soon as it is there', async () => {
    await clients.kv.put({ key: 'lines/a', value: '1' });
    using watching = new RunningCurl('/v1/kv:watch?prefix=lines/&includeSnapshot');
    await eventually(() =>
      expect(kinds(watching)).toEqual(['KIND_SNAPSHOT', 'KIND_SYNCED', 'KIND_CHECKPOINT']),
    );
    await clients.kv.put({ key: 'lines/a', value: '2' });
    await eventually(() =>
      expect(watching.messages.at(-1)).toMatchObject({
        kind: 'KIND_EVENTS',
        events: [{ type: 'TYPE_UPDATED', kv: { key: 'lines/a', value: '2' } }],
      }),
    );
    expect(watching.lines.every((line) => line.startsWith('{'))).toBe(true);
  });

  it('is events where they are asked for, with the token to go on at as their id', async () => {
    using watching = new RunningCurl('/v1/kv:watch?prefix=events/', ['accept: text/event-stream']);
    await eventually(() => expect(kinds(watching)).toContain('KIND_CHECKPOINT'));
    await clients.kv.put({ key: 'events/a', value: '1' });
    await eventually(() => expect(kinds(watching)).toContain('KIND_EVENTS'));
    const last = watching.messages.at(-1);
    expect(watching.lines).toContain(`id: ${String(last?.['resumeToken'])}`);

    await clients.kv.put({ key: 'events/a', value: '2' });
    using again = new RunningCurl('/v1/kv:watch?prefix=events/', [
      'accept: text/event-stream',
      `last-event-id: ${String(last?.['resumeToken'])}`,
    ]);
    await eventually(() => expect(kinds(again)).toContain('KIND_EVENTS'));
    expect(again.messages.find(({ kind }) => kind === 'KIND_EVENTS')).toMatchObject({
      events: [{ kv: { value: '2' } }],
    });
  });

  it('fails before it begins with the status of the error', async () => {
    for (const headers of [{}, { accept: 'text/event-stream' }] as const)
      expect(await curl(gateway.url, 'GET', '/v1/kv:watch?resumeToken=x', { headers })).toMatchObject({
        status: 400,
        contentType: 'application/json',
        json: { code: 'invalid_argument' },
      });
  });

  it('says why it ends, where the gateway leaves', async () => {
    await using leaving = await startGateway([etcd.endpoint]);
    const [plain, events] = ['*/*', 'text/event-stream'].map(async (accept) => {
      const response = await fetch(`${leaving.url}/v1/kv:watch?prefix=x`, { headers: { accept } });
      return response.text();
    });
    await eventually(() => expect(leaving.app.stats().server.streams).toBe(2));
    await leaving.app.drain();
    expect((await plain)?.trim().split('\n').at(-1)).toMatch(
      /^\{"error":\{"code":"unavailable",.*SHUTTING_DOWN/,
    );
    expect(await events).toMatch(/event: failure\ndata: \{"code":"unavailable",.*SHUTTING_DOWN.*\n\n$/);
  });

  it('is freed when its caller goes', async () => {
    const before = gateway.app.stats().server.streams;
    {
      using watching = new RunningCurl('/v1/kv:watch?prefix=freed/');
      await eventually(() => expect(kinds(watching)).toContain('KIND_CHECKPOINT'));
      expect(gateway.app.stats().server.streams).toBe(before + 1);
    }
    await eventually(() => expect(gateway.app.stats().server.streams).toBe(before));
  });

  it('holds a lock for as long as curl runs', async () => {
    const hold = spawn('curl', ['-sS', '-N', '-X', 'POST', `${gateway.url}/v1/locks/by-curl:hold`], {
      stdio: 'ignore',
    });
    await eventually(async () => {
      const { lock } = await clients.locks.get({ name: 'by-curl' });
      expect(lock?.holders).toHaveLength(1);
    });
    hold.kill('SIGKILL');
    await eventually(async () => {
      const { lock } = await clients.locks.get({ name: 'by-curl' });
      expect(lock?.holders ?? []).toHaveLength(0);
    });
  });
});

describe('an EventSource in a browser', () => {
  if (opened.kind === 'missing') {
    it(`is not tested here: ${opened.why}`, () => expect(opened.why).not.toBe(''));
    return;
  }
  const { browser } = opened;

  it('gets every change once, and goes on by itself where it was when its gateway comes back', {
    timeout: BROWSER_TIMEOUT_MS,
  }, async () => {
    await using page = await servePage('');
    const env = { CONCORD_CORS_ORIGINS: page.origin };
    let serving = await startGateway([etcd.endpoint], env);
    const { port } = serving;
    const context = await browser.newContext();
    try {
      const tab = await context.newPage();
      await tab.goto(page.origin);
      const source = `${serving.url}/v1/kv:watch?prefix=browser/`;
      await tab.evaluate(`
        globalThis.values = [];
        globalThis.isOpen = false;
        const source = new EventSource(${JSON.stringify(source)});
        source.onopen = () => { globalThis.isOpen = true; };
        source.onmessage = ({ data }) => {
          for (const { kv } of JSON.parse(data).events ?? []) globalThis.values.push(kv.value);
        };
      `);
      const values = () => tab.evaluate<string[]>('globalThis.values');
      await eventually(async () => expect(await tab.evaluate('globalThis.isOpen')).toBe(true));
      await clients.kv.put({ key: 'browser/a', value: '1' });
      await eventually(async () => expect(await values()).toEqual(['1']));
      await serving[Symbol.asyncDispose]();
      await clients.kv.put({ key: 'browser/a', value: '2' });
      serving = await startGateway([etcd.endpoint], { ...env, CONCORD_LISTEN: `127.0.0.1:${port}` });
      await clients.kv.put({ key: 'browser/a', value: '3' });
      await eventually(async () => expect(await values()).toEqual(['1', '2', '3']), 30_000);
    } finally {
      await context.close();
      await serving[Symbol.asyncDispose]();
    }
  });
});
