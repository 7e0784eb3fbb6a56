import type { NodeRequest } from './node-http.ts';

const AUTHORITY = /^[A-Za-z0-9.\-_~%!$&'()*+,;=:[\]]+$/;

/**
 * Returns the host and port that a request is addressed to, or undefined where it names none, several (RFC 9112, 3.2) or a malformed
 * one.
 *
 * Whoever builds a URL of it without this check can be made to throw by any caller.
 */
export function authorityOf(request: NodeRequest): string | undefined {
  const authority = 'authority' in request ? request.authority : request.headers.host;
  if (authority === undefined || !AUTHORITY.test(authority) || hasSeveralHosts(request)) return undefined;
  return URL.canParse(`http://${authority}`) ? authority : undefined;
}

/** Node joins repeated headers, but of Host keeps the first. */
function hasSeveralHosts({ rawHeaders }: NodeRequest): boolean {
  return rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length > 1;
}
