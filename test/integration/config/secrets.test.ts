import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { Format } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { singleKey } from '../../../src/domain/key-range.ts';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import type { Clients } from '../../support/open-clients.ts';
import { applicationName, type ConfigReplicas, startConfigReplicas } from './config-replicas.ts';
import { dumpAll, OLD_KEY, REVEALED, secretText, TOKEN, tracesOf } from './secret-traces.ts';
import { writeOutside } from './write-outside.ts';

let replicas: ConfigReplicas;
let config: Clients['config'];

beforeAll(async () => {
  const env = { CONCORD_SECRET_KEYS: OLD_KEY, CONCORD_SECRET_TOKENS: TOKEN };
  replicas = await startConfigReplicas(2, env);
  config = replicas.client(0);
});

afterAll(async () => {
  await replicas?.[Symbol.asyncDispose]();
});

/** Everything that the gateways have logged. */
function logs(): string {
  return replicas.gateways.map(({ logLines }) => JSON.stringify(logLines)).join();
}

describe('the search for a secret', () => {
  it.each(['utf8', 'hex', 'base64', 'base64url'] as const)(
    'finds one that is written as %s',
    async (encoding) => {
      const text = secretText();
      for (const before of ['', '1', '12']) {
        const value = Buffer.from(`${before}${text}`).toString(encoding);
        const form = encoding === 'utf8' ? 'clear' : encoding === 'hex' ? 'hex' : 'base64';
        expect(tracesOf(text, value)).toEqual([form]);
        await config.put({ application: applicationName(), key: 'k', value });
      }
      expect(tracesOf(text, await dumpAll(replicas.direct))).not.toEqual([]);
    },
  );
});

describe('a secret', () => {
  it('is in the clear nowhere in etcd, at no revision, nor in a log, whatever is done with it', async () => {
    const application = applicationName();
    const text = secretText();
    const value = JSON.stringify({ password: `"${text}"\n` });
    const name = { application, key: 'db', contentType: ContentType.JSON };
    await config.put({ ...name, value, secret: true, author: 'editor' });
    await config.put({ ...name, value: `${value} ` });
    await config.publish({ application, profile: 'prod', puts: [{ ...name, value, secret: true }] });
    await config.publish({ application, puts: [{ ...name, value: `${value}\n` }], dryRun: true });
    await config.setSchema({ application, keys: { case: 'key', value: 'db' }, schema: '{"type":"object"}' });
    const imported = JSON.stringify({ db: { password: text } });
    await config.import({ application, format: Format.JSON, text: imported });
    await config.delete({ application, key: 'db' });
    await config.rollback({ application, key: 'db', version: 1n });
    await config.get({ application, key: 'db', revealSecrets: true }, REVEALED);
    await config.export({ application, format: Format.YAML, revealSecrets: true }, REVEALED);
    await config.resolve({ application, profiles: ['prod'], revealSecrets: true }, REVEALED);
    await config.history({ application, key: 'db', revealSecrets: true }, REVEALED);
    await config.rotateSecrets({ application });
    expect(tracesOf(text, await dumpAll(replicas.direct))).toEqual([]);
    expect(tracesOf(text, logs())).toEqual([]);
    expect(logs()).not.toContain(TOKEN);
  });

  it('is shown to those only who ask for it and show a token', async () => {
    const application = applicationName();
    const [value, profile] = [secretText(), 'prod'];
    const item = { application, key: 'k' };
    await config.put({ ...item, value, secret: true });
    await config.put({ ...item, profile, value: `${value} over`, secret: true });
    const format = Format.JSON;
    const profiles = [profile];
    const reads = (revealSecrets: boolean, options = {}): readonly (() => Promise<object>)[] => [
      () => config.get({ ...item, revealSecrets }, options),
      () => config.list({ application, revealSecrets }, options),
      () => config.resolve({ application, profiles, revealSecrets }, options),
      () => config.history({ ...item, revealSecrets }, options),
      () => config.getVersion({ ...item, version: 1n, revealSecrets }, options),
      () => config.export({ application, format, revealSecrets }, options),
    ];
    for (const read of [...reads(false), ...reads(false, REVEALED)]) {
      const answer = textOf(await read());
      expect(tracesOf(value, answer)).toEqual([]);
      expect(answer).toMatch(/"redacted":true|"redactedKeys":\["k"\]/);
    }
    for (const read of reads(true, REVEALED)) {
      const answer = textOf(await read());
      expect(tracesOf(value, answer)).toEqual(['clear']);
      expect(answer).not.toMatch(/"redacted":true|"redactedKeys":\["k"\]/);
    }
    for (const authorization of [
      '',
      'Bearer another-token-that-is-none',
      `Token ${TOKEN}`,
      `Bearer ${TOKEN}x`,
    ]) {
      for (const read of reads(true, { headers: authorization === '' ? {} : { authorization } }))
        expect(await failureOf(read())).toMatchObject({
          code: 'PermissionDenied',
          reason: 'SECRET_ACCESS_DENIED',
        });
    }
  });

  it('is redacted in the answers of writes and in comparisons', async () => {
    const application = applicationName();
    const [one, other] = [secretText(), secretText()];
    const item = { application, key: 'k' };
    const first = await config.put({ ...item, value: one, secret: true });
    const second = await config.publish({ application, puts: [{ key: 'k', value: other }] });
    const answers = [
      first,
      second,
      await config.publish({ application, puts: [{ key: 'k', value: one }], dryRun: true }),
      await config.publish({ application, deletes: ['k'], dryRun: true }),
      await config.import({ application, format: Format.JSON, text: `{"k":"${one}"}`, dryRun: true }),
      await config.rollback({ ...item, version: 1n }),
      await config.diff({
        application,
        what: { case: 'versions', value: { key: 'k', fromVersion: 1n, toVersion: 2n } },
      }),
      await config.diff({
        application,
        what: { case: 'revisions', value: { fromRevision: first.revision, toRevision: second.revision } },
      }),
      await config.diff({ application, what: { case: 'profiles', value: { toProfile: 'prod' } } }),
      await config.delete(item),
    ];
    for (const answer of answers.map(textOf)) {
      expect([...tracesOf(one, answer), ...tracesOf(other, answer)]).toEqual([]);
      expect(answer).not.toContain('concord:secret');
    }
    expect(answers.slice(6, 9).map((answer) => 'changes' in answer && answer.changes.length)).toEqual([
      1, 1, 1,
    ]);
  });

  it('stays one when its value is written without saying so, and is none any more when that is said', async () => {
    const application = applicationName();
    const value = secretText();
    const item = { application, key: 'k' };
    await config.put({ ...item, value: 'first', secret: true });
    expect((await config.put({ ...item, value })).item).toMatchObject({
      secret: true,
      redacted: true,
      value: '',
    });
    expect((await config.put({ ...item, value: 'open', secret: false })).item).toMatchObject({
      secret: false,
      redacted: false,
      value: 'open',
    });
    const { versions } = await config.history(item);
    expect(versions.map(({ redacted }) => redacted)).toEqual([false, true, true]);
  });

  it('that is another key’s, moved there in etcd, is not decrypted', async () => {
    const application = applicationName();
    const value = secretText();
    for (const key of ['from', 'to']) await config.put({ application, key, value, secret: true });
    const range = singleKey(Buffer.from(`/config/${application}/from`));
    const signal = AbortSignal.timeout(15_000);
    const { kvs } = await replicas.direct.store.read({ kind: 'read', range }, { signal });
    const sealed = Buffer.from(kvs[0]?.value ?? expect.fail()).toString('utf8');
    await writeOutside(replicas.direct, application, { to: sealed, open: sealed });
    const get = async (key: string) =>
      (await config.get({ application, key, revealSecrets: true }, REVEALED)).item;
    expect(await get('to')).toMatchObject({ value: '', redacted: true, secret: true });
    expect(await get('open')).toMatchObject({ value: sealed, secret: false });
    expect(await get('from')).toMatchObject({ value, redacted: false });
  });
});

describe('a secret that another etcd client writes over', () => {
  it('stays redacted, and is encrypted in the history', async () => {
    const application = applicationName();
    const text = secretText();
    const item = { application, key: 'k' };
    await config.put({ ...item, value: 'first', secret: true });
    await writeOutside(replicas.direct, application, { k: text });
    for (const i of [0, 1]) {
      const { item: read } = await replicas.client(i).get(item);
      expect(read).toMatchObject({ value: '', redacted: true, secret: true, version: 2n });
    }
    await eventually(async () => {
      const { version } = await config.getVersion({ ...item, version: 2n });
      expect(version).toMatchObject({ value: '', redacted: true, secret: true, external: true });
    });
    const revealed = await config.getVersion({ ...item, version: 2n, revealSecrets: true }, REVEALED);
    expect(revealed.version?.value).toBe(text);
    // What stands in the clear is what the other client has written, until somebody rotates.
    const history = Buffer.from(await dumpAll(replicas.direct))
      .toString('latin1')
      .split(text);
    expect(history).toHaveLength(2);
    expect(history[0]?.endsWith(`/config/${application}/k\0`)).toBe(true);
    expect(await config.rotateSecrets({ application })).toMatchObject({
      rotatedCount: 1,
      unreadableCount: 0,
    });
    const { item: read } = await config.get({ ...item, revealSecrets: true }, REVEALED);
    expect(read).toMatchObject({ value: text, version: 2n });
    const range = singleKey(Buffer.from(`/config/${application}/k`));
    const signal = AbortSignal.timeout(15_000);
    const { kvs } = await replicas.direct.store.read({ kind: 'read', range }, { signal });
    expect(tracesOf(text, kvs[0]?.value ?? expect.fail())).toEqual([]);
  });
});

/** Everything an answer holds. */
function textOf(answer: object): string {
  return JSON.stringify(answer, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}
