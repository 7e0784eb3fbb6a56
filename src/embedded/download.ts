import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

/** The bounds of one download. */
export interface DownloadLimits {
  /** Time to the answer's headers, for each redirect anew, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Time for all of it, in milliseconds. */
  readonly totalTimeoutMs: number;
  /** The largest body taken, in bytes. */
  readonly maxBytes: number;
}

const REDIRECTS = 5;

/**
 * Streams a file to disk and gives the SHA-256 sum of what came, in hex. The caller checks it before use.
 *
 * A redirect that leaves https is refused, unless the first address is http itself.
 *
 * @throws Error that says in one line what went wrong; the file may then hold a part.
 */
export async function download(
  url: URL,
  file: string,
  limits: DownloadLimits,
  options: { signal: AbortSignal },
): Promise<string> {
  const total = AbortSignal.timeout(limits.totalTimeoutMs);
  const signal = AbortSignal.any([options.signal, total]);
  try {
    const response = await request(url, limits, signal);
    return await save(response, file, limits.maxBytes);
  } catch (error) {
    options.signal.throwIfAborted();
    if (total.aborted) throw new Error(`${url.host} took longer than ${limits.totalTimeoutMs} ms`);
    throw error;
  }
}

async function request(first: URL, limits: DownloadLimits, signal: AbortSignal): Promise<Response> {
  let url = first;
  for (let hop = 0; hop <= REDIRECTS; hop += 1) {
    const response = await answer(url, limits.connectTimeoutMs, signal);
    const location = response.headers.get('location');
    if (response.ok) return response;
    await response.body?.cancel();
    if (response.status < 300 || response.status >= 400 || location === null) {
      throw new Error(`${url.host} answered ${response.status}`);
    }
    url = new URL(location, url);
    if (url.protocol !== 'https:' && !(first.protocol === 'http:' && url.protocol === 'http:')) {
      throw new Error(`${first.host} redirects to ${url.protocol}//${url.host}, which is not https`);
    }
  }
  throw new Error(`${first.host} redirects more than ${REDIRECTS} times`);
}

async function answer(url: URL, connectTimeoutMs: number, signal: AbortSignal): Promise<Response> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), connectTimeoutMs);
  try {
    return await fetch(url, { redirect: 'manual', signal: AbortSignal.any([signal, late.signal]) });
  } catch (error) {
    if (late.signal.aborted) throw new Error(`${url.host} did not answer within ${connectTimeoutMs} ms`);
    throw new Error(`could not reach ${url.host}: ${causeOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function save(response: Response, path: string, maxBytes: number): Promise<string> {
  const hash = createHash('sha256');
  let size = 0;
  await using file = await open(path, 'w');
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new Error(`the file is larger than ${maxBytes} bytes`);
    hash.update(chunk);
    await file.write(chunk);
  }
  return hash.digest('hex');
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
