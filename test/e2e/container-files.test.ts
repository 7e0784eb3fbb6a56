import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { DEFINITIONS } from '../../src/settings/definitions.ts';
import { REPOSITORY } from '../support/run-concord.ts';

const SETTINGS: readonly string[] = Object.values(DEFINITIONS).map(({ env }) => env);

describe('the Dockerfile', () => {
  const dockerfile = read('Dockerfile');
  const [, lastStage = ''] = dockerfile.split(/^FROM .* AS .*$/m);

  it('runs the Node.js that package.json pins, in every stage', () => {
    const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    expect(images.length).toBeGreaterThan(0);
    for (const image of images)
      expect(image).toMatch(new RegExp(`^node:${packageJson.devDependencies.node}(-|$)`));
  });

  it('runs as a user without rights, and starts what `npm start` does', () => {
    const [, user] = [...lastStage.matchAll(/^USER (\S+)$/gm)].at(-1) ?? [];
    expect(user).toBe('node');
    const [, command = ''] = /^CMD (\[.*\])$/m.exec(lastStage) ?? [];
    expect(JSON.parse(command).join(' ')).toBe(packageJson.scripts.start.replace(/^exec /, ''));
  });

  it('names only settings that exist', () => {
    const names = [...dockerfile.matchAll(/\b((?:CONCORD|ETCD)_[A-Z_]+)=/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !SETTINGS.includes(name ?? ''))).toEqual([]);
  });

  it('asks for readiness where it listens', () => {
    const [, port] = /CONCORD_LISTEN=0\.0\.0\.0:(\d+)/.exec(dockerfile) ?? [];
    expect(dockerfile).toContain(`EXPOSE ${port}\n`);
    expect(dockerfile).toMatch(new RegExp(`^HEALTHCHECK [\\s\\S]*127\\.0\\.0\\.1:${port}/readyz`, 'm'));
  });

  it('is given all that it copies', () => {
    const ignore = read('.dockerignore').split('\n');
    expect(ignore[0]).toBe('*');
    const copies = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    );
    expect(copies.filter((name) => !ignore.includes(`!${name}`))).toEqual([]);
  });
});

describe('docker-compose.yml', () => {
  const services = readServices(read('docker-compose.yml'));
  const named = (pattern: RegExp) => [...services].filter(([name]) => pattern.test(name));

  it('runs etcd 3.6, at one exact release, with a health check', () => {
    const etcds = named(/^etcd/);
    expect(etcds.map(([name]) => name)).toEqual(['etcd', 'etcd-1', 'etcd-2', 'etcd-3']);
    for (const [, text] of etcds) {
      expect(text).toMatch(/^ +image: \S+:v3\.6\.\d+$/m);
      expect(text).toMatch(/^ +healthcheck:\n +test: \["CMD", "etcdctl", /m);
    }
  });

  it('has a cluster of three members, all of which know each other, in a profile of its own', () => {
    const members = named(/^etcd-/);
    const cluster = members.map(([name]) => `${name}=http://${name}:2380`).join(',');
    for (const [name, text] of members) {
      expect(text).toMatch(/^ +profiles: \[cluster\]$/m);
      expect(text).toContain(`- --name=${name}\n`);
      expect(text).toContain(`- --advertise-client-urls=http://${name}:2379\n`);
      expect(text).toContain(`- --initial-advertise-peer-urls=http://${name}:2380\n`);
      expect(text).toContain(`- --initial-cluster=${cluster}\n`);
    }
    expect(services.get('concord-cluster')).toMatch(/^ +profiles: \[cluster\]$/m);
    expect(services.get('concord')).not.toMatch(/profiles/);
  });

  it('points each gateway at etcds that it waits for', () => {
    for (const [, text] of named(/^concord/)) {
      const [, endpoints = ''] = /^ +ETCD_ENDPOINTS: (\S+)$/m.exec(text) ?? [];
      const hosts = endpoints.split(',').map((endpoint) => new URL(endpoint).hostname);
      expect(hosts.filter((host) => !services.has(host))).toEqual([]);
      for (const host of hosts) expect(text).toContain(`${host}: { condition: service_healthy }`);
    }
  });

  it('names only settings that exist, and the version of package.json', () => {
    for (const [, text] of named(/^concord/)) {
      const names = [...text.matchAll(/^ +([A-Z][A-Z_]+): /gm)].map(([, name]) => name);
      expect(names.length).toBeGreaterThan(0);
      expect(names.filter((name) => !SETTINGS.includes(name ?? ''))).toEqual([]);
      expect(text).toContain(`image: concord:${packageJson.version}\n`);
    }
  });

  it('gives a gateway no rights, and longer to stop than it takes to drain', () => {
    const [drainSeconds = ''] = DEFINITIONS.drainTimeoutMs.default.match(/^\d+(?=s$)/) ?? [];
    for (const [, text] of named(/^concord/)) {
      expect(text).toMatch(/^ +read_only: true$/m);
      expect(text).toMatch(/^ +cap_drop: \[ALL\]$/m);
      const [, graceSeconds] = /^ +stop_grace_period: (\d+)s$/m.exec(text) ?? [];
      expect(Number(graceSeconds)).toBeGreaterThan(Number(drainSeconds));
    }
  });

  it('shows its ports to this machine alone', () => {
    for (const [, text] of services) {
      for (const [, port] of text.matchAll(/^ +ports: \["(.*)"\]$/gm)) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });
});

function read(name: string): string {
  return readFileSync(join(REPOSITORY, name), 'utf8');
}

/**
 * Reads the services of a Compose file, each as its lines, those that it merges (`<<: *name`) first.
 *
 * No YAML parser is among this project's dependencies: this knows what the file uses and no more.
 */
function readServices(yaml: string): ReadonlyMap<string, string> {
  const anchors = new Map<string, string>();
  for (const [, anchor = '', lines = ''] of yaml.matchAll(/^x-\S+: &(\S+)\n((?:[ ].*\n)+)/gm))
    anchors.set(anchor, lines);
  const [, block = ''] = /^services:\n((?:(?: .*)?\n)+)/m.exec(yaml) ?? [];
  const services = new Map<string, string>();
  for (const [, name = '', lines = ''] of block.matchAll(/^ {2}(\S+):\n((?: {4}.*\n)+)/gm)) {
    const [, merged = ''] = /^ +<<: \*(\S+)$/m.exec(lines) ?? [];
    services.set(name, (anchors.get(merged) ?? '') + lines);
  }
  return services;
}
