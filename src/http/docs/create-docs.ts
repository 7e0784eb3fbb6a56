// The OpenAPI document at `/openapi.json`, and a page at `/docs` that shows it with Swagger UI.
// Everything that the page loads comes from here: from this folder and from the package swagger-ui-dist.

import { type FileAnswer, type FileRoute, type ServedFile, serveFile } from './serve-file.ts';

const JAVASCRIPT = 'text/javascript; charset=utf-8';
/** Nothing from elsewhere, nothing inline; Swagger UI's style sheet has its images in it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The files and where they are served: there is no way to any other. */
const FILES: Readonly<Record<string, ServedFile>> = {
  '/openapi.json': {
    location: new URL('../../../gen/openapi.json', import.meta.url),
    contentType: 'application/json',
  },
  '/docs': {
    location: new URL('page.html', import.meta.url),
    contentType: 'text/html; charset=utf-8',
    headers: { 'content-security-policy': CONTENT_SECURITY_POLICY, 'referrer-policy': 'no-referrer' },
  },
  '/docs/viewer.js': { location: new URL('viewer.js', import.meta.url), contentType: JAVASCRIPT },
  '/docs/swagger-ui-bundle.js': { location: inViewer('swagger-ui-bundle.js'), contentType: JAVASCRIPT },
  '/docs/swagger-ui.css': { location: inViewer('swagger-ui.css'), contentType: 'text/css; charset=utf-8' },
  '/docs/favicon.png': { location: inViewer('favicon-32x32.png'), contentType: 'image/png' },
};

/**
 * Creates the routes. Files are read when they are first asked for, and kept; browsers ask each time whether theirs is still
 * current (`ETag`). `/docs/` leads to `/docs`.
 */
export function createDocs(): ReadonlyMap<string, FileRoute> {
  return new Map<string, FileRoute>([
    ...Object.entries(FILES).map(([path, file]) => [path, serveFile(file)] as const),
    ['/docs/', async ({ path }) => (path === '/docs/' ? TO_PAGE : NOT_FOUND)],
  ]);
}

const TEXT = 'text/plain; charset=utf-8';
const TO_PAGE: FileAnswer = {
  status: 308,
  contentType: TEXT,
  body: 'see /docs\n',
  headers: { location: '../docs' },
};
const NOT_FOUND: FileAnswer = { status: 404, contentType: TEXT, body: 'not found\n', headers: {} };

function inViewer(name: string): URL {
  return new URL(name, import.meta.resolve('swagger-ui-dist/package.json'));
}
