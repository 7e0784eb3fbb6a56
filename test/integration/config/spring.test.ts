import { describe, expect, it } from 'vitest';
import { openClients } from '../../support/open-clients.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

const TOKEN = 'token-of-a-test-of-spring';
const KEY = Buffer.alloc(32, 7).toString('base64');

async function springOf(url: string, token?: string) {
  const response = await fetch(`${url}/spring/shop/default`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

describe('what Spring’s clients are answered', () => {
  it('is what the gateway knew last, while etcd does not answer', async () => {
    await using gateway = await startGatewayOnEtcd({ ETCD_TIMEOUT: '1s' });
    const { config } = openClients(gateway.url);
    await config.put({ application: 'shop', key: 'greeting', value: 'hello' });
    const before = await springOf(gateway.url);
    expect(before).toMatchObject({
      status: 200,
      json: { propertySources: [{ source: { greeting: 'hello' } }] },
    });
    gateway.etcd.pause();
    try {
      const { status, json } = await springOf(gateway.url);
      expect({ status, sources: json['propertySources'] }).toEqual({
        status: 200,
        sources: before.json['propertySources'],
      });
    } finally {
      gateway.etcd.resume();
    }
  });

  it('is an error, where a secret is to be shown that the gateway has no key for', async () => {
    await using gateway = await startGatewayOnEtcd({
      CONCORD_SECRET_KEYS: `k1:${KEY}`,
      CONCORD_SECRET_TOKENS: TOKEN,
    });
    const { config } = openClients(gateway.url);
    await config.put({ application: 'shop', key: 'password', value: 'x', secret: true });
    expect(await springOf(gateway.url, TOKEN)).toMatchObject({
      status: 200,
      json: { propertySources: [{ source: { password: 'x' } }] },
    });
    await using keyless = await startGateway([gateway.etcd.endpoint], { CONCORD_SECRET_TOKENS: TOKEN });
    expect(await springOf(keyless.url, TOKEN)).toMatchObject({
      status: 400,
      json: { code: 'failed_precondition' },
    });
    expect(await springOf(keyless.url)).toMatchObject({ status: 200 });
  });
});
