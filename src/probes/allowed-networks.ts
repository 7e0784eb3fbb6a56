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
const MAPPED = new BlockList();
MAPPED.addSubnet('::ffff:0:0', 96, 'ipv6');

/** Returns the addresses of a host that may be probed. Rejects with PROBE_NOT_ALLOWED where it has none. */
export type AllowedAddresses = (
  host: string,
  options: { readonly signal: AbortSignal },
) => Promise<readonly [string, ...string[]]>;

/** Creates the check. */
export function createAllowedAddresses(networks: readonly Network[]): AllowedAddresses {
  // One list for both would have a network of IPv6 allow all of IPv4 that it could stand for.
  const allowed = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const network of networks.flatMap((name) => NAMED[name] ?? [name])) {
    const [address = '', bits = ''] = network.split('/');
    const family = familyOf(address);
    allowed[family].addSubnet(address, Number(bits), family);
  }
  return async (host, options) => {
    const addresses = (await addressesOf(host, options)).map(plainAddress);
    const [first, ...rest] = addresses.filter((address) => {
      const family = familyOf(address);
      return allowed[family].check(address, family);
    });
    if (first !== undefined) return [first, ...rest];
    throw new DomainError(
      'PROBE_NOT_ALLOWED',
      `The gateway may not probe "${host}"; CONCORD_PROBE_NETWORKS says which addresses it may`,
      { address: host },
    );
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

/** An address of IPv4 that is written as one of IPv6 is the same address. */
function plainAddress(address: string): string {
  const [bare = ''] = address.split('%');
  if (isIP(bare) !== 6 || !MAPPED.check(bare, 'ipv6')) return address;
  const [a = 0, b = 0] = new URL(`http://[${bare}]`).hostname
    .slice('[::ffff:'.length, -1)
    .split(':')
    .map((part) => Number.parseInt(part, 16));
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}

async function addressesOf(
  host: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  // A name that is not known has no address that may be probed.
  const found = lookup(host, { all: true }).catch(() => []);
  try {
    // Nothing ends a lookup; it is left to itself.
    return (await Promise.race([found, aborted.promise])).map(({ address }) => address);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
