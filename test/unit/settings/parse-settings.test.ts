import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFINITIONS, flagName, type Settings } from '../../../src/settings/definitions.ts';
import { parseInvocation, SettingError } from '../../../src/settings/parse-settings.ts';
import { CERTIFICATES } from '../../support/certificates.ts';

type Name = keyof Settings;

const [KEY, OTHER_KEY] = ['k', 'o'].map((letter) => Buffer.alloc(32, letter).toString('base64'));

/** For each setting two values that it takes, and one that it does not; what it needs beside it. */
const EXAMPLES: Readonly<Record<Name, readonly [string, string, string]>> = {
  listen: ['0.0.0.0:1', '[::1]:2', 'x'],
  etcdEndpoints: ['http://a:1', 'http://b:1,http://c:1', 'http://a'],
  etcdUsername: ['me', 'you', ''],
  etcdPassword: ['secret', 'other', ''],
  etcdCa: [CERTIFICATES.ca, CERTIFICATES.otherCa, '/no/such/file'],
  etcdCert: [CERTIFICATES.client.cert, CERTIFICATES.server.cert, '/no/such/file'],
  etcdKey: [CERTIFICATES.client.key, CERTIFICATES.server.key, '/no/such/file'],
  etcdTimeoutMs: ['1s', '2s', '1h'],
  etcdBinary: ['/usr/bin/etcd', './etcd', ''],
  etcdFetch: ['true', 'false', 'no'],
  dataDir: ['/var/lib/concord', 'data', ''],
  servicesPrefix: ['/a', '/b', '/'],
  configPrefix: ['/a', '/b', '/'],
  configHistoryCount: ['1', '1000000', '0'],
  configHistoryAgeMs: ['1h', '87600h', '59m'],
  secretKeys: [`2026:${KEY}`, `b:${OTHER_KEY}, a:${KEY}`, `a:${KEY},a:${OTHER_KEY}`],
  secretTokens: ['0123456789abcdef', `${'x'.repeat(16)},${'y'.repeat(17)}`, '0123456789abcde'],
  tlsCert: [CERTIFICATES.server.cert, CERTIFICATES.client.cert, '/no/such/file'],
  tlsKey: [CERTIFICATES.server.key, CERTIFICATES.client.key, '/no/such/file'],
  corsOrigins: ['*', 'https://a.example', 'a'],
  probeNetworks: ['loopback', '10.1.0.0/16,private', '10.1.0.0'],
  requestTimeoutMs: ['1s', '2s', '2h'],
  pingIntervalMs: ['1s', '2s', '2h'],
  maxRequestBytes: ['1024', '2048', '1'],
  maxConnections: ['1', '2', '0'],
  maxStreams: ['1', '2', '0'],
  etcdRetentionMs: ['1h', '2h', '1s'],
  watchHistoryBytes: ['65536', '131072', '1'],
  drainTimeoutMs: ['0s', '2s', '1'],
  workers: ['2', 'auto', '0'],
  logLevel: ['debug', 'error', 'trace'],
  logFormat: ['json', 'text', 'xml'],
};

/** What some settings are of no use without. */
const COMPANIONS: Readonly<Partial<Record<Name, readonly Name[]>>> = {
  etcdUsername: ['etcdPassword'],
  etcdPassword: ['etcdUsername'],
  etcdCa: ['etcdEndpoints'],
  etcdCert: ['etcdEndpoints', 'etcdCa', 'etcdKey'],
  etcdKey: ['etcdEndpoints', 'etcdCa', 'etcdCert'],
  tlsCert: ['tlsKey'],
  tlsKey: ['tlsCert'],
};

const NAMES = Object.keys(EXAMPLES) as readonly Name[];

describe('settings', () => {
  it('have their defaults where nothing is given', () => {
    expect(settingsOf([], {})).toMatchObject({
      listen: [{ host: '127.0.0.1', port: 8090 }],
      etcdEndpoints: undefined,
      etcdTimeoutMs: 5_000,
      etcdFetch: true,
      dataDir: '.concord',
      configHistoryCount: 10_000,
      configHistoryAgeMs: 31_536_000_000,
      secretKeys: undefined,
      secretTokens: undefined,
      requestTimeoutMs: 10_000,
      pingIntervalMs: 10_000,
      maxRequestBytes: 2_097_152,
      drainTimeoutMs: 10_000,
      logLevel: 'info',
      logFormat: undefined,
    });
  });

  it.each(NAMES)('have %s from the environment', (name) => {
    const [value] = EXAMPLES[name];
    expect(settingsOf([], { ...besides(name), [DEFINITIONS[name].env]: value })[name]).toEqual(
      parsed(name, value),
    );
  });

  it.each(NAMES)('have %s from its flag rather than from the environment', (name) => {
    const [fromFlag, fromEnvironment] = EXAMPLES[name];
    const env = { ...besides(name), [DEFINITIONS[name].env]: fromEnvironment };
    const flag = `--${flagName(DEFINITIONS[name])}`;
    for (const args of [[`${flag}=${fromFlag}`], [flag, fromFlag]]) {
      expect(settingsOf(args, env)[name]).toEqual(parsed(name, fromFlag));
    }
  });

  it.each(NAMES)('take an empty variable for %s as none', (name) => {
    const unset = settingsOf([], {})[name];
    expect(settingsOf([], { [DEFINITIONS[name].env]: '' })[name]).toEqual(unset);
  });

  it.each(NAMES)('refuse what %s cannot be, by the name that it was given under', (name) => {
    const definition = DEFINITIONS[name];
    const [, , wrong] = EXAMPLES[name];
    const flag = `--${flagName(definition)}`;
    const shown = 'isSecret' in definition ? '(secret)' : JSON.stringify(wrong);
    const said = (source: string) => `${source} is ${shown}; expected ${definition.type.expects}`;
    expect(failureOf([`${flag}=${wrong}`], besides(name))).toBe(said(flag));
    if (wrong !== '')
      expect(failureOf([], { ...besides(name), [definition.env]: wrong })).toBe(said(definition.env));
  });

  it.each(Object.entries(COMPANIONS))(
    'refuse %s alone, in one line that names what is missing',
    (name, companions) => {
      const definition = DEFINITIONS[name as Name];
      const [value] = EXAMPLES[name as Name];
      const said = failureOf([], { [definition.env]: value });
      expect(said).toContain(definition.env);
      expect(companions.some((each) => said.includes(DEFINITIONS[each].env))).toBe(true);
    },
  );

  it('refuse endpoints with and without TLS together', () => {
    expect(failureOf([], { ETCD_ENDPOINTS: 'http://a:1,https://b:1' })).toBe(
      'ETCD_ENDPOINTS is http://a:1,https://b:1; expected all http or all https',
    );
  });

  it.each([
    [['--listn=a:1'], "Unknown option '--listn'"],
    [['-z'], "Unknown option '-z'"],
    [['serve'], "Unexpected argument 'serve'"],
    [['--listen'], "Option '--listen <value>' argument missing"],
    [['--listen', '--log-level=info'], "Option '--listen' argument is ambiguous"],
    [['--help=yes'], "Option '-h, --help' does not take an argument"],
  ])('refuse the command line %j', (args, said) => {
    expect(failureOf(args, {})).toBe(`${said}; --help lists the flags`);
  });

  it('are asked for no value where help or the version is wanted', () => {
    const env = { CONCORD_LISTEN: 'wrong' };
    expect(parseInvocation(['--help'], env)).toEqual({ kind: 'help' });
    expect(parseInvocation(['-v', '--listen=wrong'], env)).toEqual({ kind: 'version' });
  });

  it.each([
    ['CONCORD_SECRET_KEYS', 'a:hunter2'],
    ['CONCORD_SECRET_KEYS', `a:${KEY},b:hunter2`],
    ['CONCORD_SECRET_KEYS', `hunter2:${KEY},hunter2:${KEY}`],
    ['CONCORD_SECRET_TOKENS', 'hunter2'],
    ['CONCORD_SECRET_TOKENS', '0123456789abcdef,hunter2'],
  ])('never show anything of %s that is wrong: %s', (name, value) => {
    for (const said of [
      failureOf([], { [name]: value }),
      failureOf([`--${flagName({ env: name })}`, value], {}),
    ]) {
      expect(said).toContain('(secret)');
      expect(said).not.toMatch(/hunter2|0123456789abcdef/);
      expect(said).not.toContain(KEY);
    }
  });

  it('never show a secret, and fail in no other way than with one line, whatever is given', () => {
    const value = fc.oneof(
      fc.string(),
      fc.constantFrom('http://a:1', 'https://a:99999', 'http://1.2.3.4.5:1', '[::]:0', '/x', '1s', '*'),
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 3 }),
        fc.uuid(),
        (given, secret) => {
          const env = Object.fromEntries(
            Object.entries(given).map(([name, text]) => [DEFINITIONS[name as Name].env, text]),
          );
          try {
            parseInvocation([], { ETCD_USERNAME: 'me', ...env, ETCD_PASSWORD: secret });
          } catch (error) {
            expect(error).toBeInstanceOf(SettingError);
            const { message } = error as SettingError;
            expect(message.split('\n')).toHaveLength(1);
            expect(message).not.toContain(secret);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

function settingsOf(args: readonly string[], env: Readonly<Record<string, string>>): Settings {
  const invocation = parseInvocation(args, env);
  if (invocation.kind !== 'run') throw new Error(`${invocation.kind} was asked for`);
  return invocation.settings;
}

/** What is said of settings that cannot be used. */
function failureOf(args: readonly string[], env: Readonly<Record<string, string>>): string {
  try {
    settingsOf(args, env);
  } catch (error) {
    if (error instanceof SettingError) return error.message;
    throw error;
  }
  throw new Error('the settings are taken');
}

/** The environment that a setting needs beside it. */
function besides(name: Name): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (COMPANIONS[name] ?? []).map((each) => [DEFINITIONS[each].env, companionValue(name, each)]),
  );
}

function companionValue(name: Name, companion: Name): string {
  if (companion === 'etcdEndpoints') return 'https://a:1';
  const [value] = EXAMPLES[companion];
  return name === companion ? '' : value;
}

function parsed(name: Name, value: string): unknown {
  return DEFINITIONS[name].type.read(value);
}
