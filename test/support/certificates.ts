import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Certificates and keys for tests, as files (PEM). `tls/make-certificates.sh` made them; they are valid for 100 years. */
export const CERTIFICATES = {
  /** What the certificates of `server` and `client` are signed with. */
  ca: pathOf('ca.pem'),
  /** Another one, which has signed nothing. */
  otherCa: pathOf('other-ca.pem'),
  /** For 127.0.0.1, ::1 and localhost. */
  server: { cert: pathOf('server.pem'), key: pathOf('server-key.pem') },
  client: { cert: pathOf('client.pem'), key: pathOf('client-key.pem') },
} as const;

/** What a client must trust to reach a server of the tests. */
export const TRUSTED_CA = readFileSync(CERTIFICATES.ca);

function pathOf(name: string): string {
  return fileURLToPath(new URL(`tls/${name}`, import.meta.url));
}
