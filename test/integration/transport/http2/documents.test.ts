import { describe, expect, it } from 'vitest';
import { createRawClient } from '../../../support/raw-request.ts';
import { startGatewayOnEtcd } from '../../../support/start-gateway-on-etcd.ts';

const NOTHING = Buffer.alloc(0);

describe('a document over HTTP/2', () => {
  it('is the same as over HTTP/1.1, and told about without it', async () => {
    await using gateway = await startGatewayOnEtcd();
    await using client = createRawClient(gateway.port);
    for (const path of ['/openapi.json', '/docs', '/healthz', '/none']) {
      const ask = (version: '1.1' | '2', method: string) =>
        client.send(version, { method, path, headers: {}, body: NOTHING });
      const [old, document, head] = await Promise.all([ask('1.1', 'GET'), ask('2', 'GET'), ask('2', 'HEAD')]);
      expect(document.status).toBe(old.status);
      expect(document.body.equals(old.body)).toBe(true);
      expect(document.headers['content-type']).toBe(old.headers['content-type']);
      expect(document.headers['content-length']).toBe(old.headers['content-length']);
      expect(head.body).toHaveLength(0);
      if (head.status === 200)
        expect(head.headers['content-length']).toBe(document.headers['content-length']);
    }
  });
});
