import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const SHOWN_FUNCTIONS = 15;
const IDLE = '(idle)';

/** The CPU profiles in `folder`, oldest first; none where there is no such folder. */
export async function listProfiles(folder: string): Promise<readonly string[]> {
  const files = await readdir(folder).catch(() => []);
  const profiles = files.filter((file) => file.endsWith('.cpuprofile'));
  return profiles.toSorted().map((file) => join(folder, file));
}

/** The functions of a CPU profile that took the most time themselves, as a share of its busy time. */
export async function describeProfile(path: string): Promise<string> {
  const profile: Profile = JSON.parse(await readFile(path, 'utf8'));

  const selfUs = selfTimes(profile);
  const idleUs = selfUs.get(IDLE) ?? 0;
  selfUs.delete(IDLE);
  const busyUs = [...selfUs.values()].reduce((sum, us) => sum + us, 0);
  const top = [...selfUs].toSorted(([, left], [, right]) => right - left).slice(0, SHOWN_FUNCTIONS);
  const rows = top.map(([name, us]) => `${((us / busyUs) * 100).toFixed(1).padStart(5)} %  ${name}`);
  const busyShare = (busyUs / (busyUs + idleUs)) * 100;
  return [
    `gateway, self time of ${busyShare.toFixed(0)} % busy (${relative(REPOSITORY, path)}):`,
    ...rows,
  ].join('\n');
}

function selfTimes({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const names = new Map(nodes.map((node) => [node.id, describeFrame(node)]));
  const selfUs = new Map<string, number>();
  samples.forEach((id, sample) => {
    const name = names.get(id) ?? '(unknown)';
    selfUs.set(name, (selfUs.get(name) ?? 0) + (timeDeltas[sample] ?? 0));
  });
  return selfUs;
}

function describeFrame({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const name = functionName || '(anonymous)';
  if (url === '') return name;
  const file = url.startsWith('file://') ? relative(REPOSITORY, fileURLToPath(url)) : url;
  return `${name}  ${file}:${lineNumber + 1}`;
}
