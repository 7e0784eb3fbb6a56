import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startGateway } from '../../support/start-gateway.ts';
import { kindName, openConfigWatch } from './config-watch.ts';

const keyOf = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const TOKEN = 'a-token-of-a-reader';
const HEADERS = { authorization: `Bearer ${TOKEN}` };

describe('a watch of secrets', () => {
  it('shows them to those alone who may see them and ask to, and tells nothing when they are encrypted again', async () => {
    const etcd = await startEtcd();
    try {
      const [old, current] = [keyOf('old'), keyOf('current')];
      const env = (keys: readonly string[]) => ({
        CONCORD_SECRET_KEYS: keys.join(),
        CONCORD_SECRET_TOKENS: TOKEN,
      });
      await using before = await startGateway([etcd.endpoint], env([old, current]));
      await using after = await startGateway([etcd.endpoint], env([current, old]));
      const here = openClients(before.url).config;
      const there = openClients(after.url).config;
      const application = randomUUID();
      await here.put({ application, key: 'password', value: 'hunter1', secret: true });
      await using blind = openConfigWatch(here, { application });
      await using seeing = openConfigWatch(there, { application, revealSecrets: true }, HEADERS);
      await Promise.all([blind.opened, seeing.opened]);
      await here.put({ application, key: 'password', value: 'hunter2' });
      await there.delete({ application, key: 'password' });
      await there.put({ application, key: 'password', value: 'hunter3', secret: true });
      const token = blind.token();
      const { rotatedCount, revision } = await there.rotateSecrets({ application });
      expect(rotatedCount).toBeGreaterThan(0);
      const told = revision + 1n;
      await here.put({ application, key: 'other', value: 'plain' });
      await Promise.all([blind, seeing].map((watch) => watch.find((each) => each.revision >= told)));

      expect(seeing.items()).toEqual(['default/password@1=hunter1']);
      expect(seeing.changes()).toEqual([
        'UPDATED default/password@2=hunter2 < default/password@1=hunter1',
        'DELETED default/password@3= < default/password@2=hunter2',
        'CREATED default/password@4=hunter3',
        'CREATED default/other@1=plain',
      ]);
      expect(blind.items()).toEqual(['default/password@1=']);
      expect(blind.changes()).toEqual([
        'UPDATED default/password@2= < default/password@1=',
        'DELETED default/password@3= < default/password@2=',
        'CREATED default/password@4=',
        'CREATED default/other@1=plain',
      ]);
      expect(blind.messages[0]?.items[0]?.redacted).toBe(true);
      expect(
        JSON.stringify(blind.messages.map((each) => [each.items, each.changes].map(String))),
      ).not.toContain('hunter');
      await using resumed = openConfigWatch(there, { application, resumeToken: token });
      await eventually(() => expect(resumed.changes().at(-1)).toBe('CREATED default/other@1=plain'));
      expect(resumed.messages.map(kindName)).not.toContain('SNAPSHOT');

      await using refused = openConfigWatch(here, { application, revealSecrets: true });
      expect(await failureOf(refused.opened)).toMatchObject({
        code: 'PermissionDenied',
        reason: 'SECRET_ACCESS_DENIED',
      });
    } finally {
      await etcd.stop();
    }
  });
});
