import type { NodeRequest } from './node-http.ts';

const AUTHORITY = /^[A-Za-z0-9.\-_~%!$&'()*+,;=:[\]]+$/;

/**
 * Returns the host and port that a request is addressed to, or undefined where it names none, several (RFC 9112, 3.2) or a malformed
 * one.
 *
 * Whoever builds a URL of it without this check can be made to throw by any caller.
 */
export function authorityOf(request: NodeRequest): string | undefined {
  const { host } = request.headers;
  const authority = request.authority ?? host;
  const isOne =
    isAuthority(authority) && (host === undefined || isAuthority(host)) && !hasSeveralHosts(request);
  return isOne ? authority : undefined;
}

const known = new Set<string>();
/** So many are remembered: callers use few, and one who invents them fills no more than this. */
const MAX_KNOWN = 1_000;

/** Tells whether it is a host and port that a URL can be built of. */
export function isAuthority(authority: string | undefined): authority is string {
  if (authority === undefined) return false;
  if (known.has(authority)) return true;
  if (!AUTHORITY.test(authority) || !URL.canParse(`http://${authority}`)) return false;
  if (known.size < MAX_KNOWN) known.add(authority);
  return true;
}

/** Node joins repeated headers, but of Host keeps the first. */
function hasSeveralHosts({ rawHeaders = [] }: NodeRequest): boolean {
  return rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length > 1;
}
