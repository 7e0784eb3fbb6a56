import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DiscoveryService } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { eventually } from '../../support/eventually.ts';
import { type RestartableConcord, runRestartableConcord } from '../../support/restartable-concord.ts';
import { runCli, startCli } from '../../support/run-cli.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const TIMEOUT_MS = 120_000;
const WAIT_MS = 60_000;
const ADDRESS = ['--host', '10.0.0.7', '--port', '8080'];
/** Long enough for a gateway to come back on a machine with much else to do. */
const PATIENT = ['--ttl', '120s', '--grace', '80s'];

let etcd: TestEtcd;
let concord: RestartableConcord;

beforeAll(async () => {
  etcd = await startEtcd();
  concord = await runRestartableConcord(etcd.endpoint);
}, TIMEOUT_MS);

afterAll(async () => {
  await concord?.[Symbol.asyncDispose]();
  await etcd?.stop();
});

describe('concord register', { timeout: TIMEOUT_MS }, () => {
  it('registers for as long as the command runs, and ends as it does', async () => {
    const details = [
      '--id',
      'run-1',
      '--zone',
      'a',
      '--tag',
      'x',
      '--tag',
      'y',
      '--meta',
      'region=eu',
      '--instance-version',
      '1.2',
    ];
    await using cli = startCli(
      [
        'register',
        'd-run',
        ...ADDRESS,
        ...details,
        ...PATIENT,
        '--',
        'sh',
        '-c',
        'echo "$CONCORD_SERVICE $CONCORD_INSTANCE_ID"; trap "exit 6" TERM; while :; do sleep 0.1; done',
      ],
      { server: concord.url },
    );
    await eventually(() => expect(cli.stdout).toBe('d-run run-1\n'), WAIT_MS);
    expect(cli.stderr).toBe('concord: registered d-run/run-1 at 10.0.0.7:8080\n');

    expect((await run(['discover', 'd-run'])).stdout).toMatch(
      /^ID +ADDRESS +STATUS +ZONE +VERSION +TAGS +METADATA\nrun-1 +10\.0\.0\.7:8080 +up +a +1\.2 +x,y +region=eu\n$/,
    );
    const found = JSON.parse((await run(['discover', 'd-run', '--json'])).stdout) as object;
    expect(found).toMatchObject({ instances: [{ instanceId: 'run-1', tags: ['x', 'y'] }] });
    expect(
      await run(['discover', 'd-run', '--where', 'metadata.region == "eu"', '--status', 'up', '--tag', 'x']),
    ).toMatchObject({ code: 0 });
    expect(await run(['discover', 'd-run', '--zone', 'b'])).toMatchObject({ code: 3 });
    expect((await run(['pick', 'd-run'])).stdout).toBe('10.0.0.7:8080\n');
    const picked = JSON.parse(
      (await run(['pick', 'd-run', '--strategy', 'hash', '--hash-key', 'k', '--json'])).stdout,
    ) as object;
    expect(picked).toMatchObject({ instance: { instanceId: 'run-1' } });
    expect((await run(['services', 'd-run'])).stdout).toMatch(/^SERVICE +INSTANCES +UP\nd-run +1 +1\n$/);
    expect(JSON.parse((await run(['services', 'd-run', '--json'])).stdout)).toMatchObject({
      services: [{ name: 'd-run', instanceCount: 1, upCount: 1 }],
    });

    cli.signal('SIGTERM');
    expect(await cli.exited).toEqual({ code: 6, signal: null });
    expect(cli.stderr.match(/^concord: .*/gm)).toEqual(['concord: registered d-run/run-1 at 10.0.0.7:8080']);
    expect(await run(['discover', 'd-run'])).toMatchObject({ code: 3, stdout: '' });
  });

  it('stays until SIGINT without a command', async () => {
    await using cli = startCli(['register', 'd-int', ...ADDRESS, '--json', ...PATIENT], {
      server: concord.url,
    });
    await eventually(
      () => expect(JSON.parse(cli.stdout)).toMatchObject({ instance: { service: 'd-int' } }),
      WAIT_MS,
    );
    cli.signal('SIGINT');
    expect(await cli.exited).toEqual({ code: 0, signal: null });
    expect((await run(['pick', 'd-int'])).code).toBe(3);
  });

  it('stays registered, on the same lease, when the gateway is killed and comes back', async () => {
    await using cli = startCli(['register', 'd-again', ...ADDRESS, ...PATIENT, '--', 'sleep', '600'], {
      server: concord.url,
    });
    await eventually(() => expect(cli.stderr).toContain('registered d-again/'), WAIT_MS);
    const leaseId = await leaseOf('d-again');
    await concord.kill();
    await eventually(() => expect(cli.stderr).toContain('connecting again'), WAIT_MS);
    await concord.start();
    await eventually(() => expect(cli.stderr).toContain('connected again'), WAIT_MS);
    expect(await leaseOf('d-again')).toBe(leaseId);
    cli.signal('SIGTERM');
    expect(await cli.exited).toEqual({ code: 143, signal: null });
    await eventually(async () => expect(await leaseOf('d-again')).toBeUndefined(), WAIT_MS);
  });

  it('registers again under the same id when the registration has ended', async () => {
    await using cli = startCli(['register', 'd-ended', ...ADDRESS, ...PATIENT, '--', 'sleep', '600'], {
      server: concord.url,
    });
    await eventually(() => expect(cli.stderr).toContain('registered'), WAIT_MS);
    const leaseId = String(await leaseOf('d-ended'));
    expect((await run(['lease', 'revoke', leaseId])).code).toBe(0);
    await eventually(() => expect(cli.stderr).toContain('registering again'), WAIT_MS);
    await eventually(async () => {
      const again = await leaseOf('d-ended');
      expect(again).toBeDefined();
      expect(String(again)).not.toBe(leaseId);
    }, WAIT_MS);
  });

  it('leaves one that has taken its place alone; the command goes on', async () => {
    const id = ['--id', 'one'];
    await using first = startCli(
      ['register', 'd-taken', ...ADDRESS, ...id, ...PATIENT, '--', 'sleep', '600'],
      { server: concord.url },
    );
    await eventually(() => expect(first.stderr).toContain('registered'), WAIT_MS);
    await using second = startCli(['register', 'd-taken', ...ADDRESS, ...id, ...PATIENT], {
      server: concord.url,
    });
    await eventually(() => expect(second.stderr).toContain('registered'), WAIT_MS);
    await eventually(() => expect(first.stderr).toContain('(INSTANCE_NOT_FOUND)'), WAIT_MS);
    first.signal('SIGTERM');
    expect(await first.exited).toEqual({ code: 143, signal: null });
    expect((await run(['pick', 'd-taken'])).code).toBe(0);
  });

  it('does not run the command where no gateway answers: 5', async () => {
    expect(
      await runCli(['register', 's', ...ADDRESS, '--', 'echo', 'never'], { server: 'http://127.0.0.1:1' }),
    ).toMatchObject({ code: 5, stdout: '' });
  });

  it('needs a service, a host and a port: 2', async () => {
    for (const args of [
      ['s'],
      ['s', '--host', 'h'],
      ['s', '--host', 'h', '--port', '0'],
      [...ADDRESS, '--', 'echo'],
    ])
      expect(await run(['register', ...args])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('concord lease', { timeout: TIMEOUT_MS }, () => {
  it('grants, shows, lists, renews and revokes', async () => {
    const id = (await run(['lease', 'grant', '60s'])).stdout.trim();
    expect(id).toMatch(/^\d+$/);
    await run(['put', 'lease/key', 'x', '--lease', id]);
    expect((await run(['lease', 'get', id])).stdout).toMatch(
      new RegExp(`^LEASE +TTL +REMAINING +KEPT BY\\n${id} +60s +\\d+s +its caller\\n {2}lease/key\\n$`),
    );
    expect(JSON.parse((await run(['lease', 'get', id, '--json'])).stdout)).toMatchObject({
      leaseId: id,
      keys: ['lease/key'],
    });
    expect((await run(['lease', 'ls'])).stdout).toContain(id);
    expect((await run(['lease', 'ls', '--json'])).stdout).toContain(id);
    expect((await run(['lease', 'renew', id])).stdout).toMatch(/^expires \S+Z\n$/);
    expect(JSON.parse((await run(['lease', 'renew', id, '--json'])).stdout)).toHaveProperty('expireTime');
    expect((await run(['lease', 'revoke', id])).stdout).toMatch(/^revoked at revision \d+\n$/);
    expect((await run(['get', 'lease/key'])).code).toBe(3);
    expect(await run(['lease', 'renew', id])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('(LEASE_NOT_FOUND)'),
    });
    const kept = JSON.parse((await run(['lease', 'grant', '60s', '--auto-renew', '--json'])).stdout) as {
      leaseId: string;
    };
    expect(JSON.parse((await run(['lease', 'revoke', kept.leaseId, '--json'])).stdout)).toHaveProperty(
      'revision',
    );
    expect((await run(['lease', 'grant', 'soon'])).code).toBe(2);
  });

  it('holds one for as long as a command runs, or until SIGINT', async () => {
    const held = await run(['lease', 'hold', '--', 'sh', '-c', 'echo $CONCORD_LEASE_ID; exit 4']);
    expect(held).toMatchObject({ code: 4, stdout: expect.stringMatching(/^\d+\n$/) });
    const id = (await run(['lease', 'grant', '60s'])).stdout.trim();
    await using cli = startCli(['lease', 'hold', id], { server: concord.url });
    await eventually(() => expect(cli.stdout).toBe(`${id}\n`), WAIT_MS);
    expect((await run(['lease', 'get', id])).stdout).toContain('an open call');
    cli.signal('SIGINT');
    expect(await cli.exited).toEqual({ code: 0, signal: null });
    expect((await run(['lease', 'get', id])).code).toBe(3);
    expect((await run(['lease', 'hold', 'word'])).code).toBe(2);
  });
});

function run(args: readonly string[]) {
  return runCli(args, { server: concord.url });
}

async function leaseOf(service: string): Promise<bigint | undefined> {
  const discovery = createClient(DiscoveryService, createGrpcTransport({ baseUrl: concord.url }));
  return (await discovery.discover({ service })).instances[0]?.leaseId;
}
