import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RequestHead } from '../../../../src/transport/http2/request-head.ts';
import { startHttp2Server } from './start-http2-server.ts';

/** What may stand in a field: all but control characters, and no white space around it, which node:http2 refuses to send. */
const BYTES = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte >= 0x20 && byte !== 0x7f);
const TEXT = fc
  .array(fc.constantFrom(...BYTES), { maxLength: 200 })
  .map((bytes) => Buffer.from(bytes).toString('latin1').trim());
const NAME = fc.stringMatching(/^x-[a-z0-9!#$%&'*+.^_`|~-]{1,20}$/);
const FIELDS = fc.dictionary(NAME, TEXT, { maxKeys: 10 }).map((fields) => ({ ...fields }));

describe('fields', () => {
  it('come from a client of node:http2, and reach it, as they are', async () => {
    let answer: Record<string, string> = {};
    const heads: RequestHead[] = [];
    await using server = await startHttp2Server((stream) => {
      heads.push(stream.head);
      stream.begin(200, Object.entries(answer).flat());
      stream.end(undefined, Object.entries(answer).flat());
    });
    const session = connect(server.baseUrl);

    async function exchange(fields: Record<string, string>): Promise<readonly IncomingHttpHeaders[]> {
      answer = fields;
      const request = session.request({ ':path': '/a', ...fields });
      const received: IncomingHttpHeaders[] = [];
      for (const event of ['response', 'trailers'])
        request.on(
          event,
          (headers: IncomingHttpHeaders) => void received.push(Object.fromEntries(Object.entries(headers))),
        );
      request.resume();
      await once(request, 'close');
      return received;
    }

    async function expectUnchanged(fields: Record<string, string>): Promise<void> {
      const [response, trailers] = await exchange(fields);
      expect({ ...heads.at(-1)?.headers }).toEqual(fields);
      expect(trailers).toEqual(fields);
      const { ':status': status, date, ...others } = response ?? {};
      expect(others).toEqual(fields);
      expect(status).toBe(200);
      expect(Math.abs(Date.parse(String(date)) - Date.now())).toBeLessThan(60_000);
    }

    // Among characters that have short codes, so that Huffman codes are used, with every byte in turn.
    for (const byte of BYTES)
      await expectUnchanged({ 'x-a': `aeiost${String.fromCharCode(byte)}aeiostaeiostaeiostaeiost` });
    await fc.assert(fc.asyncProperty(FIELDS, expectUnchanged), { numRuns: 200 });
    await expectUnchanged({ 'x-long': 'v'.repeat(40_000) });
    session.close();
    await once(session, 'close');
    expect(server.failures).toEqual([]);
  });

  it('are read as they are meant by thousands of requests that change the table', async () => {
    const values: unknown[] = [];
    await using server = await startHttp2Server((stream) => {
      values.push(stream.head.headers['x-n']);
      stream.beginAndEnd(204, []);
    });
    const session = connect(server.baseUrl);
    const sent: string[] = [];
    for (let n = 0; n < 3_000; n += 1) {
      const value = String(n % 7 === 0 ? n : n % 3).repeat(10);
      sent.push(value);
      const request = session.request({ 'x-n': value, 'x-same': 'same' });
      request.resume();
      if (n % 100 === 99) await once(request, 'close');
    }
    session.close();
    await once(session, 'close');
    expect(values).toEqual(sent);
  });
});
