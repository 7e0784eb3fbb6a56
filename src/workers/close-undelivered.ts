import type { Worker } from 'node:cluster';

/** A connection as node:cluster hands it to a worker: not a socket yet. */
interface Connection {
  close(): void;
}

/**
 * Closes, when a worker is gone, the connection that was on its way to it. node:cluster forgets that one: its client would wait for as
 * long as the primary lives. It hands a worker one connection of a listener at a time, so that only the last of each can be lost; to
 * close one again that has arrived is nothing.
 */
export function closeUndelivered(worker: Worker): void {
  const handed = new Map<unknown, Connection>();
  const { process: child } = worker;
  const send = child.send.bind(child) as (...args: readonly unknown[]) => boolean;
  child.send = (message: unknown, ...rest: readonly unknown[]) => {
    const [handle] = rest;
    if (isConnection(handle)) handed.set(listenerOf(message), handle);
    return send(message, ...rest);
  };
  const close = () => {
    for (const connection of handed.values()) connection.close();
    handed.clear();
  };
  child.on('disconnect', close);
  child.on('exit', close);
}

function isConnection(handle: unknown): handle is Connection {
  return (
    typeof handle === 'object' && handle !== null && 'close' in handle && typeof handle.close === 'function'
  );
}

function listenerOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'key' in message ? message.key : undefined;
}
