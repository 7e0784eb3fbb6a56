import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { isNamedIn, weakEntityTag } from '../entity-tag.ts';

/** A file that is served. */
export interface ServedFile {
  readonly location: URL;
  readonly contentType: string;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request, as far as it matters here. */
export interface FileRequest {
  readonly path: string;
  readonly headers: {
    readonly 'accept-encoding'?: string | string[] | undefined;
    readonly 'if-none-match'?: string | undefined;
  };
}

/** A whole answer with its headers. */
export interface FileAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Answers with a file. */
export type FileRoute = (request: FileRequest) => Promise<FileAnswer>;

interface Content {
  readonly bytes: Uint8Array;
  readonly gzipped: Uint8Array;
  readonly etag: string;
}

/** Returns the route of a file, which is read once, and sent in gzip to those who take it. */
export function serveFile({ location, contentType, headers }: ServedFile): FileRoute {
  let content: Promise<Content> | undefined;
  return async (request) => {
    content ??= readContent(location);
    const { bytes, gzipped, etag } = await content;
    const fields = {
      'cache-control': 'no-cache',
      etag,
      // The second is for the CORS headers, which any answer may have.
      vary: 'accept-encoding, origin',
      'x-content-type-options': 'nosniff',
      ...headers,
    };
    if (isNamedIn(request.headers['if-none-match'], etag))
      return { status: 304, contentType, body: '', headers: fields };
    if (!/\bgzip\b/.test(String(request.headers['accept-encoding'] ?? '')))
      return { status: 200, contentType, body: bytes, headers: fields };
    return { status: 200, contentType, body: gzipped, headers: { ...fields, 'content-encoding': 'gzip' } };
  };
}

async function readContent(location: URL): Promise<Content> {
  const bytes = await readFile(location);
  return { bytes, gzipped: await promisify(gzip)(bytes), etag: await weakEntityTag(bytes) };
}
