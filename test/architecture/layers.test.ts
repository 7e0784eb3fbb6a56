import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What each layer of src/ may import: folders of ours, and packages. `node:` stands for Node's own modules. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  domain: ['domain'],
  etcd: ['etcd', 'domain', 'telemetry', 'etcd3', '@grpc/grpc-js', 'cockatiel', 'node:'],
  rpc: ['rpc', 'gen', 'domain', 'telemetry', '@connectrpc/connect', '@bufbuild/', 'node:'],
  transport: [
    'transport',
    'rpc',
    'domain',
    'telemetry',
    'gen',
    '@connectrpc/',
    '@bufbuild/',
    'cors',
    'node:',
  ],
  http: ['http', 'gen', 'rpc', 'telemetry', '@bufbuild/', 'node:'],
  probes: ['probes', 'domain', 'gen', '@connectrpc/', 'node:'],
  documents: ['documents', 'domain', 'yaml', 'smol-toml', 'properties-file', 'ajv', 'node:'],
  secrets: ['secrets', 'domain', 'node:'],
  embedded: ['embedded', 'node:'],
  settings: ['settings', 'node:'],
  telemetry: ['telemetry', 'pino', 'prom-client', 'node:'],
  // The primary runs an etcd, the workers the gateway; what they are given and say is settings, metrics and logs.
  workers: [
    'workers',
    'app.ts',
    'run-etcd.ts',
    'gateway.ts',
    'embedded',
    'transport',
    'settings',
    'telemetry',
    'node:',
  ],
  // It calls a gateway as anybody else does; to run one, it has `serve.ts`, and to complete its flags the settings.
  cli: [
    'cli',
    'gen',
    '@connectrpc/',
    '@bufbuild/',
    'commander',
    'settings',
    'serve.ts',
    'compile-cache.js',
    'package.json',
    'node:',
  ],
};

/** Packages that one layer alone may know. */
const OWNED = {
  etcd3: 'etcd',
  '@grpc/grpc-js': 'etcd',
  cockatiel: 'etcd',
  commander: 'cli',
  pino: 'telemetry',
} as const;

/** What each floor of src/domain/ may import of the others, besides the files that stand beside them; nothing points back up. */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  reading: [],
  watch: ['reading'],
  lease: ['reading', 'watch'],
  session: ['lease', 'watch'],
  lock: ['reading', 'watch', 'lease', 'session'],
  election: ['reading', 'watch', 'lease', 'session'],
  writing: [],
  kv: ['reading', 'writing'],
  discovery: ['reading', 'writing', 'watch', 'lease', 'session'],
  config: ['reading', 'writing', 'watch', 'lease', 'session'],
};

interface Import {
  readonly file: string;
  readonly layer: string;
  readonly target: string;
  /** Of the file that is imported, where it is one of ours; else the same as `target`. */
  readonly path: string;
}

describe('the layers of src/', () => {
  const imports = sourceFiles('src').flatMap(importsOf);

  it('are all in the table', () => {
    const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map((folder) => folder.name).filter((name) => !(name in LAYERS))).toEqual([]);
  });

  it('import only what the table lets them', () => {
    const forbidden = imports.filter(({ layer, target }) => {
      const allowed = LAYERS[layer];
      return allowed !== undefined && !allowed.some((each) => target === each || target.startsWith(each));
    });
    expect(forbidden.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  it('have floors in the domain, none of which imports one above it', () => {
    const forbidden = imports.flatMap(({ file, path }) => {
      const [from, to] = [floorOf(file), floorOf(path)];
      if (from === undefined || to === undefined || from === to) return [];
      return FLOORS[from]?.includes(to) ? [] : [`${file} imports ${path}`];
    });
    expect(forbidden).toEqual([]);
  });

  it('keep each package to the layer that owns it', () => {
    const strays = imports.filter(({ layer, target }) =>
      Object.entries(OWNED).some(([name, owner]) => target === name && layer !== owner),
    );
    expect(strays.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  it('read the environment in src/settings alone, besides the entries that hand it in', () => {
    const readers = sourceFiles('src').filter(
      (file) =>
        /process\.env/.test(readFileSync(file, 'utf8')) &&
        !/^src\/(settings\/|main\.js|cli\/run\.ts)/.test(file),
    );
    expect(readers.filter((file) => !file.startsWith('src/embedded/'))).toEqual([]);
  });

  it('say in their main file what they are for', () => {
    const mainFiles = [
      'src/domain/errors.ts',
      'src/etcd/open-etcd.ts',
      'src/rpc/checks/checks.ts',
      'src/transport/start-server.ts',
      'src/http/operator-routes.ts',
      'src/probes/create-prober.ts',
      'src/documents/create-documents.ts',
      'src/secrets/create-cipher.ts',
      'src/embedded/start-embedded-etcd.ts',
      'src/settings/parse-settings.ts',
      'src/telemetry/logger.ts',
      'src/workers/start-workers.ts',
      'src/cli/main.ts',
    ];
    for (const file of mainFiles) expect(readFileSync(file, 'utf8'), file).toMatch(/^\/\/ .+\n\/\/ .+\n/);
  });
});

function sourceFiles(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(file: string): Import[] {
  const layer = file.split('/')[1] ?? '';
  const text = readFileSync(file, 'utf8');
  const specifiers = [
    ...text.matchAll(/^(?:import|export)\b[^;]*?from '([^']+)'/gms),
    // What is loaded on demand.
    ...text.matchAll(/\b(?:import|require)\('([^']+)'\)/g),
  ];
  return specifiers.map(([, specifier = '']) => {
    const path = specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier;
    return { file, layer, target: specifier.startsWith('.') ? folderOf(path) : specifier, path };
  });
}

/** The layer of a file of ours: `domain` for src/domain/…, `gen` for gen/…. */
function folderOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'src' ? second : top;
}

/** The floor of a file of the domain; undefined: it stands beside them, or is no file of the domain. */
function floorOf(path: string): string | undefined {
  const [top, layer, floor, ...rest] = path.split('/');
  return top === 'src' && layer === 'domain' && rest.length > 0 ? floor : undefined;
}
