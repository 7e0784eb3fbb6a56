// Which addresses may be probed. Whoever may register an instance chooses what is asked: without a bound that would be a way to
// look into the gateway's network.

import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { DomainError } from '../domain/errors.ts';

/** `loopback`, `private` (RFC 1918 and RFC 4193), or one network as an address and a number of bits, `10.1.0.0/16`. */
export type Network = string;

const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};
const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

/** Returns an address of a host that may be probed. Rejects with PROBE_NOT_ALLOWED where it has none. */
export type AllowedAddress = (host: string) => Promise<string>;

/** Creates the check. */
export function createAllowedAddress(networks: readonly Network[]): AllowedAddress {
  const allowed = new BlockList();
  for (const network of networks.flatMap((name) => NAMED[name] ?? [name])) {
    const [address = '', bits = ''] = network.split('/');
    allowed.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return async (host) => {
    for (const address of await addressesOf(host)) {
      const plain = address.replace(MAPPED, '');
      if (allowed.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')) return plain;
    }
    throw new DomainError(
      'PROBE_NOT_ALLOWED',
      `The gateway may not probe "${host}"; CONCORD_PROBE_NETWORKS says which addresses it may`,
      { address: host },
    );
  };
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  // A name that is not known has no address that may be probed.
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.map(({ address }) => address);
}
