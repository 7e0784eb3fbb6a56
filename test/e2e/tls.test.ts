import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createClient } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KvService } from '../../gen/concord/kv/v1/kv_service_pb.ts';
import { CERTIFICATES, TRUSTED_CA } from '../support/certificates.ts';
import { type RunningConcord, runConcord } from '../support/run-concord.ts';
import { outputOf } from '../support/run-program.ts';
import { findOnPath } from '../support/test-program.ts';

const curl = await findOnPath('curl');
const nodeOptions = { ca: TRUSTED_CA };

describe('a gateway with a certificate', () => {
  let concord: RunningConcord;

  beforeAll(async () => {
    const { cert, key } = CERTIFICATES.server;
    concord = await runConcord({ env: { CONCORD_TLS_CERT: cert, CONCORD_TLS_KEY: key } });
  });

  afterAll(async () => {
    await concord?.[Symbol.asyncDispose]();
  });

  it('says in its banner that it speaks TLS', () => {
    expect(concord.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(concord.stdout).toContain(`${concord.url}/concord.kv.v1.KvService/Put`);
  });

  it.each([
    ['gRPC, HTTP/2', (baseUrl: string) => createGrpcTransport({ baseUrl, nodeOptions })],
    [
      'Connect, HTTP/2',
      (baseUrl: string) => createConnectTransport({ baseUrl, nodeOptions, httpVersion: '2' }),
    ],
    [
      'Connect, HTTP/1.1',
      (baseUrl: string) => createConnectTransport({ baseUrl, nodeOptions, httpVersion: '1.1' }),
    ],
    [
      'gRPC-Web, HTTP/1.1',
      (baseUrl: string) => createGrpcWebTransport({ baseUrl, nodeOptions, httpVersion: '1.1' }),
    ],
  ])('serves %s', async (name, open) => {
    const kv = createClient(KvService, open(concord.url));
    await kv.put({ key: name, value: 'hello' });
    expect((await kv.get({ key: name })).kv?.value).toBe('hello');
  });

  it.each([
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1', 'h2'], 'h2'],
    [['http/1.1'], 'http/1.1'],
  ])('agrees by ALPN, of %j, on %s', async (offered, agreed) => {
    expect(await agreedProtocol(portOf(concord.url), offered)).toBe(agreed);
  });

  it('serves a client without ALPN, which speaks HTTP/1.1', async () => {
    expect(
      await exchange(portOf(concord.url), 'GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'),
    ).toMatch(/^HTTP\/1\.1 200 .*ready\n$/s);
  });

  it('does not serve cleartext', async () => {
    await expect(fetch(concord.url.replace('https', 'http'))).rejects.toThrow();
    const socket = connectTcp(portOf(concord.url), '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => {});
    socket.write('GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(Buffer.concat(chunks).toString('latin1')).not.toContain('HTTP/');
  });

  it('goes on after clients that do not trust it, or say nothing of TLS', async () => {
    await expect(agreedProtocol(portOf(concord.url), ['h2'], Buffer.alloc(0))).rejects.toThrow(/certificate/);
    expect(await agreedProtocol(portOf(concord.url), ['h2'])).toBe('h2');
  });

  const versions = curl.kind === 'found' ? ['--http1.1', '--http2'] : [];
  it.each(versions)('serves curl %s', async (version) => {
    const url = `${concord.url}/readyz`;
    const output = await outputOf('curl', [
      '-sS',
      '--cacert',
      CERTIFICATES.ca,
      version,
      '-w',
      '%{http_version}',
      url,
    ]);
    expect(output).toBe(`ready\n${version === '--http2' ? '2' : '1.1'}`);
  });

  if (curl.kind === 'missing') {
    it(`is not asked by curl here: ${curl.why}`, () => expect(curl.why).not.toBe(''));
  }
});

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function openTls(port: number, ALPNProtocols: readonly string[] | undefined, ca = TRUSTED_CA) {
  return connectTls({
    host: '127.0.0.1',
    port,
    ca,
    ...(ALPNProtocols && { ALPNProtocols: [...ALPNProtocols] }),
  });
}

function agreedProtocol(
  port: number,
  offered: readonly string[],
  ca = TRUSTED_CA,
): Promise<string | false | null> {
  return new Promise((resolve, reject) => {
    const socket = openTls(port, offered, ca);
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.alpnProtocol);
      socket.destroy();
    });
  });
}

async function exchange(port: number, request: string): Promise<string> {
  const socket = openTls(port, undefined);
  socket.write(request);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
