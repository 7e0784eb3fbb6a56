import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFINITIONS } from '../../src/settings/definitions.ts';
import { findEtcdProcesses } from '../support/find-processes.ts';
import { REPOSITORY, spawnConcord } from '../support/run-concord.ts';

const TLS = join(REPOSITORY, 'test/support/tls');
const CERTIFICATE = join(TLS, 'server.pem');
const OTHER_KEY = join(TLS, 'client-key.pem');
const CA = join(TLS, 'ca.pem');
const NO_PEM = join(REPOSITORY, 'package.json');

/** Values that are refused, by what they are, and what is said of them. */
const WRONG_IN_ENVIRONMENT: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
  ['an address of several', { CONCORD_LISTEN: 'a:0,x' }, 'CONCORD_LISTEN is "a:0,x"; expected host:port'],
  [
    'an endpoint',
    { ETCD_ENDPOINTS: 'ftp://a:1' },
    'ETCD_ENDPOINTS is "ftp://a:1"; expected http://host:port or https://host:port',
  ],
  [
    "an endpoint's port",
    { ETCD_ENDPOINTS: 'http://a:65536' },
    'ETCD_ENDPOINTS is "http://a:65536"; expected http://host:port',
  ],
  [
    'a mix of endpoints',
    { ETCD_ENDPOINTS: 'http://a:1,https://b:2' },
    'ETCD_ENDPOINTS is http://a:1,https://b:2; expected all http or all https',
  ],
  [
    'a file',
    { ETCD_CA: '/no/such' },
    'ETCD_CA is "/no/such"; expected the path of a readable file with PEM certificates',
  ],
  ['a time', { ETCD_TIMEOUT: '5' }, 'ETCD_TIMEOUT is "5"; expected a time from 100ms to 1m'],
  [
    'a level',
    { CONCORD_LOG_LEVEL: 'loud' },
    'CONCORD_LOG_LEVEL is "loud"; expected silent, error, warn, info',
  ],
  ['a format', { CONCORD_LOG_FORMAT: 'xml' }, 'CONCORD_LOG_FORMAT is "xml"; expected json, text'],
  ['a flag', { CONCORD_ETCD_FETCH: 'yes' }, 'CONCORD_ETCD_FETCH is "yes"; expected true or false'],
  [
    'a key prefix',
    { CONCORD_CONFIG_PREFIX: 'c' },
    'CONCORD_CONFIG_PREFIX is "c"; expected a key prefix that begins with / and does not end with one',
  ],
  [
    'a network without a size',
    { CONCORD_PROBE_NETWORKS: '10.1.0.0' },
    'CONCORD_PROBE_NETWORKS is "10.1.0.0"; expected loopback, private, or a network such as 10.1.0.0/16',
  ],
  [
    'an origin',
    { CONCORD_CORS_ORIGINS: 'a.com' },
    'CONCORD_CORS_ORIGINS is "a.com"; expected an origin such as https://app.example.com',
  ],
  [
    'a key',
    { CONCORD_SECRET_KEYS: 'a:hunter2-secret' },
    'CONCORD_SECRET_KEYS is (secret); expected id:key, the id of 1 to 32 letters, digits, _ or -, the key of 32 bytes in base64',
  ],
  [
    'a token',
    { CONCORD_SECRET_TOKENS: 'hunter2-secret' },
    'CONCORD_SECRET_TOKENS is (secret); expected a token of at least 16 ASCII characters without spaces',
  ],
  [
    'a number',
    { CONCORD_MAX_STREAMS: '1e3' },
    'CONCORD_MAX_STREAMS is "1e3"; expected a whole number from 1 to',
  ],
  [
    'a number of processes',
    { CONCORD_WORKERS: '65' },
    'CONCORD_WORKERS is "65"; expected auto, or a whole number from 1 to 64',
  ],
  [
    'a user without a password',
    { ETCD_USERNAME: 'me' },
    'ETCD_PASSWORD is not set; expected a text, since ETCD_USERNAME is set',
  ],
  [
    'a certificate without a key',
    { CONCORD_TLS_CERT: CERTIFICATE },
    'CONCORD_TLS_KEY is not set; expected the path of a readable file with a private key in PEM, since CONCORD_TLS_CERT is set',
  ],
  ['a certificate that is none', { CONCORD_TLS_CERT: NO_PEM, CONCORD_TLS_KEY: NO_PEM }, 'CONCORD_TLS_CERT'],
  [
    "a key that is not the certificate's",
    { CONCORD_TLS_CERT: CERTIFICATE, CONCORD_TLS_KEY: OTHER_KEY },
    'CONCORD_TLS_KEY',
  ],
  [
    "etcd's certificates that are none",
    { ETCD_ENDPOINTS: 'https://127.0.0.1:1', ETCD_CA: NO_PEM },
    'ETCD_CA',
  ],
  [
    'certificates for an etcd without TLS',
    { ETCD_ENDPOINTS: 'http://a:1', ETCD_CA: CA },
    'ETCD_ENDPOINTS is http://a:1; expected https://host:port, since ETCD_CA is set',
  ],
];

const WRONG_AS_FLAG: readonly (readonly [string, string])[] = [
  ['--data-dir=', '--data-dir is ""; expected a path'],
  ['--etcd-username=', '--etcd-username is ""; expected a text'],
  ['--workers=0', '--workers is "0"; expected auto, or a whole number from 1 to 64'],
  ['--listn=127.0.0.1:0', "Unknown option '--listn'; --help lists the flags"],
  ['serve', "Unexpected argument 'serve'; --help lists the flags"],
];

describe('a setting that cannot be used', { timeout: 180_000 }, () => {
  it.concurrent.each(WRONG_IN_ENVIRONMENT)(
    'ends the start with code 2 and one line: %s',
    async (_, env, said) => {
      const { code, lines } = await endOf([], env);
      expect(lines).toEqual([expect.stringContaining(`concord: ${said}`)]);
      expect(code).toBe(2);
    },
  );

  it.concurrent.each(WRONG_AS_FLAG)('is named as the flag that it was given as: %s', async (arg, said) => {
    const { code, lines } = await endOf([arg]);
    expect(lines).toEqual([expect.stringContaining(`concord: ${said}`)]);
    expect(code).toBe(2);
  });

  it('is covered above for every kind there is', () => {
    const said = [...WRONG_IN_ENVIRONMENT, ...WRONG_AS_FLAG].map((row) => row.at(-1)).join('\n');
    for (const { type } of Object.values(DEFINITIONS)) {
      const [kind] = type.expects.split(/ from |[;,]/);
      expect(said).toContain(`expected ${kind}`);
    }
  });
});

describe("etcd's password", () => {
  it.concurrent.each([
    ['without a user', { args: [] }],
    ['given as a flag', { args: ['--etcd-password=hunter2-secret'] }],
    ['to an etcd that is not there', { args: ['--etcd-username=me', '--etcd-endpoints=http://127.0.0.1:1'] }],
    ['to an etcd that wants none', { args: ['--etcd-username=me'] }],
  ])('is not shown: %s', async (_, { args }) => {
    const { lines, stdout } = await endOf(args, {
      ETCD_PASSWORD: 'hunter2-secret',
      CONCORD_LOG_LEVEL: 'debug',
      ETCD_TIMEOUT: '200ms',
    });
    expect(lines.join()).not.toBe('');
    expect(stdout + lines.join('\n')).not.toContain('hunter2');
  });
});

describe('an address that is taken', () => {
  it('ends the start with code 1 and a line that names it, and leaves no etcd', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const address = other.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      await using concord = await spawnConcord({ env: { CONCORD_LISTEN: `127.0.0.1:${port}` } });
      expect(await concord.exited).toEqual({ code: 1, signal: null });
      expect(concord.stderr.trimEnd().split('\n').at(-1)).toBe(
        `concord: Cannot listen on 127.0.0.1:${port}: another process listens there already; stop it, or choose another port`,
      );
      expect(await findEtcdProcesses(concord.dataDir)).toEqual([]);
    } finally {
      other.close();
    }
  });
});

/** Runs a gateway to its end; one that starts to serve is stopped. Gives what it wrote to standard error line by line. */
async function endOf(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  await using concord = await spawnConcord({ args, env });
  await Promise.race([
    concord.exited,
    concord.listening.then(
      () => concord.signal('SIGTERM'),
      () => {},
    ),
  ]);
  const { code } = await concord.exited;
  return { code, lines: concord.stderr.trimEnd().split('\n'), stdout: concord.stdout };
}
