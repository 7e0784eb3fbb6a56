// An application of Spring Boot that takes its configuration from the gateway, with the settings that docs/config.md shows.

import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ContentType } from '../../gen/concord/config/v1/config_item_pb.ts';
import { openClients } from '../support/open-clients.ts';
import { openTempDir } from '../support/open-temp-dir.ts';
import { readFencedBlocks } from '../support/read-markdown.ts';
import { runConcord } from '../support/run-concord.ts';
import { outputOf } from '../support/run-program.ts';
import { findSpringClient } from './find-spring-client.ts';

const TIMEOUT_MS = 240_000;
const TOKEN = 'token-of-the-shop';
const client = await findSpringClient();
const settings = readFencedBlocks(readFileSync('docs/config.md', 'utf8')).find(
  ({ heading, language }) => heading === 'Spring Boot' && language === 'yaml',
);

describe('the settings for Spring Boot in docs/config.md', () => {
  it('have it ask the gateway', () => {
    expect(settings?.text).toContain('configserver:http://127.0.0.1:8090/spring');
  });

  if (client.kind === 'missing') {
    it(`are not tried: ${client.why}`, () => {
      expect(client.why).not.toBe('');
    });
    return;
  }

  it('give an application its properties, and with the token its secrets', {
    timeout: TIMEOUT_MS,
  }, async () => {
    await using concord = await runConcord({
      env: {
        CONCORD_SECRET_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
        CONCORD_SECRET_TOKENS: TOKEN,
      },
    });
    const { config } = openClients(concord.url);
    await config.publish({
      application: 'shop',
      puts: [
        { key: 'greeting', value: 'hello' },
        { key: 'db', value: 'url: jdbc:h2:mem\npool: 10\n', contentType: ContentType.YAML },
        { key: 'db.password', value: 'correct horse', secret: true },
        { key: 'application.yml', value: 'limits:\n  - items: 5\n', contentType: ContentType.YAML },
      ],
    });
    await config.put({ application: 'shop', profile: 'prod', key: 'greeting', value: 'welcome' });
    const inEurope = { application: 'shop', profile: 'prod-eu', key: 'db' };
    await config.put({ ...inEurope, value: 'pool: 20\n', contentType: ContentType.YAML });

    const properties = await startSpring(concord.url, TOKEN, 'prod,prod-eu');
    expect(properties).toEqual({
      greeting: 'welcome',
      'db.url': 'jdbc:h2:mem',
      'db.pool': '20',
      'db.password': 'correct horse',
      'limits[0].items': '5',
    });
    expect(await startSpring(concord.url, 'no-token-of-theirs', 'default')).toMatchObject({
      greeting: 'hello',
      'db.password': 'null',
    });
  });
});

/** Starts an application, and returns its properties when it has ended. */
async function startSpring(
  url: string,
  token: string,
  profiles: string,
): Promise<Readonly<Record<string, string>>> {
  if (client.kind === 'missing') throw new Error(client.why);
  await using folder = await openTempDir();
  const text = (settings?.text ?? '').replaceAll('http://127.0.0.1:8090', url);
  await writeFile(join(folder.path, 'application.yml'), text);
  const names = ['greeting', 'db.url', 'db.pool', 'db.password', 'limits[0].items'];
  const flags = [`--spring.config.location=file:${folder.path}/`, `--spring.profiles.active=${profiles}`];
  const printed = await outputOf('java', [...client.javaArguments, ...flags], {
    env: { CONCORD_TOKEN: token, PROPERTY_NAMES: names.join(',') },
    timeoutMs: TIMEOUT_MS / 2,
  });
  const found = [...printed.matchAll(/^property (\S+?)=(.*)$/gm)];
  return Object.fromEntries(found.map(([, name = '', value = '']) => [name, value]));
}
