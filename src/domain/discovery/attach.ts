// An instance that is registered as long as a stream is open.

import { DomainError } from '../errors.ts';
import { singleKey } from '../key-range.ts';
import { Bell } from '../session/bell.ts';
import { enterSession } from '../session/enter-session.ts';
import type { Session } from '../session/session.ts';
import type { Sessions, SessionToResume } from '../session/sessions.ts';
import type { OperationOptions } from '../store.ts';
import type { Directory } from './directory.ts';
import type { Instance, InstanceDetails } from './instance.ts';
import {
  type InstanceName,
  instanceNotFound,
  NO_CONDITIONS,
  putInstance,
  type RegistrationDeps,
  readRegistered,
} from './registration.ts';

/** What to register: anew, or as a stream that broke did. */
export interface AttachQuery {
  readonly name: InstanceName;
  readonly start:
    | {
        readonly kind: 'new';
        readonly details: InstanceDetails;
        readonly ttlSeconds: bigint;
        readonly graceMs: number;
      }
    | { readonly kind: 'resume'; readonly session: SessionToResume };
}

/** What attaching needs. */
export interface AttachDeps extends RegistrationDeps {
  readonly sessions: Sessions;
  readonly directory: Pick<Directory, 'peekInstance' | 'whole'>;
}

/** It is registered. */
export interface AttachMessage {
  readonly instance: Instance;
  readonly session: Session;
}

/**
 * Registers an instance until its caller stops. It rejects with INSTANCE_NOT_FOUND when it is registered no longer, with
 * SESSION_NOT_FOUND, SESSION_TAKEN_OVER, and as the store does.
 */
export async function* attach(
  deps: AttachDeps,
  { name, start }: AttachQuery,
  options: OperationOptions,
): AsyncGenerator<AttachMessage, never> {
  const { sessions, keys } = deps;
  const bell = new Bell();
  const onChange = () => bell.ring();
  const session = await enterSession(sessions, start, onChange, options);
  const range = singleKey(keys.ofInstance(name.service, name.instanceId));
  const target = { kind: 'leaseId', number: session.leaseId } as const;
  // What another client has written in its place is not taken out.
  const removal = {
    kind: 'txn',
    compares: [{ range, comparison: 'equal', target }],
    success: [{ kind: 'delete', range }],
    failure: [],
  } as const;
  // Has it follow; what it does not know yet, a later message says.
  deps.directory.whole(options).catch(() => {});
  let isKnown = start.kind === 'resume';
  try {
    let instance =
      start.kind === 'resume'
        ? await attached(deps, name, session, options)
        : await putInstance(
            deps,
            name,
            start.details,
            { leaseId: session.leaseId, liveness: 'ATTACHED' },
            [],
            NO_CONDITIONS,
            options,
          );
    for (;;) {
      await bell.heard(options);
      if (session.over !== undefined)
        throw session.over.reason === 'LEASE_NOT_FOUND' ? instanceNotFound(name) : session.over;
      const seen = deps.directory.peekInstance(name.service, name.instanceId);
      if (seen?.leaseId === session.leaseId && seen.revision > instance.revision) instance = seen;
      isKnown = true;
      yield { instance, session };
    }
  } finally {
    await sessions.leave(session, { release: [removal], isLeaseLeft: true, isKnown });
  }
}

async function attached(
  deps: RegistrationDeps,
  name: InstanceName,
  { leaseId }: Session,
  options: OperationOptions,
): Promise<Instance> {
  const { instance } = await readRegistered(deps, name, options);
  if (instance?.leaseId === leaseId) return instance;
  throw new DomainError(
    'SESSION_NOT_FOUND',
    `Instance "${name.instanceId}" of service "${name.service}" is not what the resume token held; register it anew, without the token`,
    { lease_id: String(leaseId) },
  );
}
