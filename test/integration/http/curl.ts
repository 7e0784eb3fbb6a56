// The real curl, as people use it.

import { outputOf } from '../../support/run-program.ts';

/** What curl was answered. */
export interface CurlAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** The body, where it is JSON. */
  readonly json: unknown;
}

/** Sends a request. `path` is sent as it is. */
export async function curl(
  baseUrl: string,
  method: string,
  path: string,
  {
    body,
    headers = {},
  }: { readonly body?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<CurlAnswer> {
  const sent = body === undefined ? [] : ['--data-binary', body, '-H', 'content-type: application/json'];
  const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const options = ['-sS', '--path-as-is', '-X', method, '-w', '\n%{http_code} %{content_type}'];
  const output = await outputOf('curl', [...options, ...sent, ...given, baseUrl + path]);
  const end = output.lastIndexOf('\n');
  const [status = '', contentType = ''] = output.slice(end + 1).split(' ');
  const text = output.slice(0, end);
  const isJson = contentType.startsWith('application/json');
  return { status: Number(status), contentType, body: text, json: isJson ? JSON.parse(text) : undefined };
}
