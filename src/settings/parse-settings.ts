// One schema for every setting: parsing, defaults and documentation. The only reader of the environment.
// Reads settings from flags and the environment; a flag wins.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { parseArgs } from 'node:util';
import { DEFINITIONS, type Definition, flagName, type Settings } from './definitions.ts';

/** A setting that cannot be used, said in one line. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

/** What the command line asks for. */
export type Invocation =
  | { readonly kind: 'run'; readonly settings: Settings }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' };

type AnyDefinition = Definition<unknown, string | undefined>;

const ENTRIES = Object.entries(DEFINITIONS) as readonly (readonly [string, AnyDefinition])[];

/** Reads flags (`--listen=…` or `--listen …`) and environment. Throws a {@link SettingError}. */
export function parseInvocation(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Invocation {
  const flags = parseFlags(args);
  if (flags['help']) return { kind: 'help' };
  if (flags['version']) return { kind: 'version' };

  const values = ENTRIES.map(([name, definition]) => {
    const given = flags[flagName(definition)];
    const source = typeof given === 'string' ? `--${flagName(definition)}` : definition.env;
    const text = typeof given === 'string' ? given : env[definition.env] || definition.default;
    return [name, text === undefined ? undefined : parse(definition, source, text)] as const;
  });
  const settings = Object.fromEntries(values) as unknown as Settings;
  checkTogether(settings);
  return { kind: 'run', settings };
}

function parseFlags(args: readonly string[]): Record<string, string | boolean | undefined> {
  const options = Object.fromEntries(
    ENTRIES.map(([, each]) => [flagName(each), { type: 'string' }] as const),
  );
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...options,
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    });
    return values;
  } catch (error) {
    const [cause = ''] = (error instanceof Error ? error.message : String(error)).split(/[.\n]/);
    throw new SettingError(`${cause}; --help lists the flags`);
  }
}

function parse(definition: AnyDefinition, source: string, text: string): unknown {
  const value = definition.type.read(text);
  if (value !== undefined) return value;
  const shown = definition.isSecret ? '(secret)' : JSON.stringify(text);
  throw new SettingError(`${source} is ${shown}; expected ${definition.type.expects}`);
}

function checkTogether(settings: Settings): void {
  need('tlsCert', 'tlsKey');
  need('tlsKey', 'tlsCert');
  need('etcdCert', 'etcdKey');
  need('etcdKey', 'etcdCert');
  need('etcdCert', 'etcdCa');
  need('etcdUsername', 'etcdPassword');
  need('etcdPassword', 'etcdUsername');
  needKeyOf('tlsKey', 'tlsCert');
  needKeyOf('etcdKey', 'etcdCert');
  for (const name of ['etcdCa', 'etcdCert', 'etcdKey'] as const) {
    if (settings[name] !== undefined && !settings.etcdEndpoints?.some((each) => each.startsWith('https:'))) {
      throw new SettingError(
        `ETCD_ENDPOINTS is ${settings.etcdEndpoints?.join() ?? 'not set'}; expected https://host:port, since ${DEFINITIONS[name].env} is set`,
      );
    }
  }
  const schemes = new Set(settings.etcdEndpoints?.map((each) => new URL(each).protocol));
  if (schemes.size > 1) {
    throw new SettingError(
      `ETCD_ENDPOINTS is ${settings.etcdEndpoints?.join()}; expected all http or all https`,
    );
  }

  function needKeyOf(key: 'tlsKey' | 'etcdKey', cert: 'tlsCert' | 'etcdCert'): void {
    const [keyPem, certPem] = [settings[key], settings[cert]];
    if (keyPem === undefined || certPem === undefined) return;
    if (new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))) return;
    throw new SettingError(
      `${DEFINITIONS[key].env} is the key of another certificate; expected the one of ${DEFINITIONS[cert].env}`,
    );
  }

  function need(name: keyof Settings, other: keyof Settings): void {
    if (settings[name] !== undefined && settings[other] === undefined) {
      throw new SettingError(
        `${DEFINITIONS[other].env} is not set; expected ${DEFINITIONS[other].type.expects}, since ${DEFINITIONS[name].env} is set`,
      );
    }
  }
}
