import type { NodeRequest } from './node-http.ts';

const AUTHORITY = /^[A-Za-z0-9.\-_~%!$&'()*+,;=:[\]]+$/;

/**
 * Returns the host and port that a request is addressed to, or undefined where it names none or a malformed one.
 *
 * Whoever builds a URL of it without this check can be made to throw by any caller.
 */
export function authorityOf(request: NodeRequest): string | undefined {
  const authority = 'authority' in request ? request.authority : request.headers.host;
  if (authority === undefined || !AUTHORITY.test(authority)) return undefined;
  return URL.canParse(`http://${authority}`) ? authority : undefined;
}
