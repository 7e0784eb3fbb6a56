import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/domain/errors.ts';
import { createAllowedAddresses } from '../../../src/probes/allowed-networks.ts';

const { signal } = new AbortController();

/** The addresses that may be probed; none where it is refused. */
async function addressesFor(networks: readonly string[], host: string): Promise<readonly string[]> {
  try {
    return await createAllowedAddresses(networks)(host, { signal });
  } catch (error) {
    if (error instanceof DomainError && error.reason === 'PROBE_NOT_ALLOWED') return [];
    throw error;
  }
}

describe('the addresses that may be probed', () => {
  it.each([
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['loopback', '::1'],
    ['private', '10.0.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['private', 'fd12:3456::1'],
    ['10.1.0.0/16', '10.1.255.255'],
    ['2001:db8::/32', '2001:db8:1::1'],
    ['fe80::/10', 'fe80::1%lo'],
    ['0.0.0.0/0', '203.0.113.7'],
    ['203.0.113.7/32', '203.0.113.7'],
  ])('with %s have %s', async (network, host) => {
    expect(await addressesFor([network], host)).toEqual([host]);
  });

  it.each([
    ['loopback', '10.0.0.1'],
    ['loopback', '128.0.0.1'],
    ['loopback', '0.0.0.0'],
    ['loopback', '::'],
    ['loopback', '169.254.169.254'],
    ['private', '127.0.0.1'],
    ['private', '172.32.0.1'],
    ['private', '169.254.169.254'],
    ['private', 'fe80::1%lo'],
    ['10.1.0.0/16', '10.2.0.0'],
    ['203.0.113.7/32', '203.0.113.8'],
    ['2001:db8::/32', '2001:db9::1'],
    // What is allowed of one family says nothing of the other.
    ['0.0.0.0/0', '::1'],
    ['::/0', '127.0.0.1'],
    ['::/0', '::ffff:127.0.0.1'],
    ['::/0', '::ffff:a9fe:a9fe'],
    ['::ffff:0:0/96', '127.0.0.1'],
  ])('with %s do not have %s', async (network, host) => {
    expect(await addressesFor([network], host)).toEqual([]);
  });

  it.each([
    '::ffff:127.0.0.1',
    '::FFFF:127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:7f00:1',
    '0:0:0:0:0:ffff:127.0.0.1',
    '::ffff:7f00:0001',
    '::ffff:127.0.0.1%lo',
  ])('take %s for the address of IPv4 that it stands for', async (host) => {
    expect(await addressesFor(['loopback'], host)).toEqual(['127.0.0.1']);
    expect(await addressesFor(['private'], host)).toEqual([]);
  });

  it.each(['localhost', '127.1', '0x7f.1', '2130706433'])(
    'are looked up where a host is a name: %s',
    async (host) => {
      const addresses = await addressesFor(['loopback'], host);
      expect(addresses).toContain('127.0.0.1');
      expect(await addressesFor(['private', '203.0.113.0/24'], host)).toEqual([]);
    },
  );

  it.each(['nobody.invalid', '[::1]', 'a b', '', '%', '\u{1F600}'])(
    'are none where a name is not known: "%s"',
    async (host) => {
      expect(await addressesFor(['loopback', 'private', '0.0.0.0/0', '::/0'], host)).toEqual([]);
    },
  );

  it('are none without networks', async () => {
    for (const host of ['127.0.0.1', '::1', 'localhost', '10.0.0.1'])
      expect(await addressesFor([], host)).toEqual([]);
  });

  it('are those of all networks together', async () => {
    const networks = ['loopback', '10.1.0.0/16'];
    expect(await addressesFor(networks, '::1')).toEqual(['::1']);
    expect(await addressesFor(networks, '10.1.0.1')).toEqual(['10.1.0.1']);
    expect(await addressesFor(networks, '10.2.0.1')).toEqual([]);
  });

  it('say which host is refused', async () => {
    const refused = createAllowedAddresses(['loopback'])('10.0.0.1', { signal });
    await expect(refused).rejects.toMatchObject({
      reason: 'PROBE_NOT_ALLOWED',
      metadata: { address: '10.0.0.1' },
    });
  });

  it('are not looked up for one who has left', async () => {
    const reason = new Error('left');
    const options = { signal: AbortSignal.abort(reason) };
    await expect(createAllowedAddresses(['loopback'])('localhost', options)).rejects.toBe(reason);
    const leaving = new AbortController();
    const waiting = createAllowedAddresses(['loopback'])('localhost', leaving);
    leaving.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});
