import { Agent, request as httpRequest } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { openKvClient } from '../support/kv-client.ts';
import { runConcord } from '../support/run-concord.ts';

const CONNECTIONS_EACH = 500;
const OPENED_AT_ONCE = 25;
const ROUNDS = 3;
const PATH = '/concord.kv.v1.KvService/Get';
const BODY = JSON.stringify({ key: 'greeting' });
const HEADERS = { 'content-type': 'application/json' };

describe('a thousand connections at once', { timeout: 300_000 }, () => {
  it('are all answered, on HTTP/1.1 and on HTTP/2, again and again', async () => {
    // A machine that is busy is slow to answer a thousand at once, and to answer pings; this is of whether all are answered.
    await using concord = await runConcord({ env: { ETCD_TIMEOUT: '1m', CONCORD_PING_INTERVAL: '10m' } });
    await openKvClient(concord.url).put({ key: 'greeting', value: 'hello' });
    const agent = new Agent({
      keepAlive: true,
      maxSockets: CONNECTIONS_EACH,
      maxFreeSockets: CONNECTIONS_EACH,
    });
    const sessions: ClientHttp2Session[] = [];
    try {
      // A gateway drops who says nothing at first, and a client that is busy opening others is long silent.
      while (sessions.length < CONNECTIONS_EACH) {
        const opened = Array.from({ length: OPENED_AT_ONCE }, () => connect(concord.url));
        sessions.push(...opened);
        await Promise.all(opened.map(askOverHttp2));
      }
      for (let round = 0; round < ROUNDS; round++) {
        const answers = await Promise.all([
          ...Array.from({ length: CONNECTIONS_EACH }, () => askOverHttp1(concord.url, agent)),
          ...sessions.map(askOverHttp2),
        ]);
        const values = answers.map(
          (answer) => JSON.parse(answer) as { readonly kv: { readonly value: string } },
        );
        expect(values.filter(({ kv }) => kv.value !== 'hello')).toEqual([]);
        expect(values).toHaveLength(2 * CONNECTIONS_EACH);
      }
      const metrics = await (await fetch(`${concord.url}/metrics`)).text();
      const [, open] = /^concord_connections (\d+)$/m.exec(metrics) ?? [];
      expect(Number(open)).toBeGreaterThanOrEqual(2 * CONNECTIONS_EACH);
    } finally {
      agent.destroy();
      for (const session of sessions) session.destroy();
    }
  });
});

function askOverHttp1(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      new URL(PATH, url),
      { method: 'POST', headers: HEADERS, agent },
      async (response) => {
        if (response.statusCode !== 200) reject(new Error(`answered ${response.statusCode}`));
        resolve(await textOf(response));
      },
    );
    request.on('error', reject);
    request.end(BODY);
  });
}

function askOverHttp2(session: ClientHttp2Session): Promise<string> {
  return new Promise((resolve, reject) => {
    session.once('error', reject);
    const stream = session.request({ ':method': 'POST', ':path': PATH, ...HEADERS });
    stream.on('error', reject);
    stream.on('close', () => reject(new Error('closed without an answer')));
    stream.on('response', async ({ ':status': status }) => {
      if (status !== 200) reject(new Error(`answered ${status}`));
      resolve(await textOf(stream));
    });
    stream.end(BODY);
  });
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
