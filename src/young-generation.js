// @ts-check
import { setFlagsFromString } from 'node:v8';

/**
 * Keeps the memory for new objects at what it has grown to: 4 MiB when the code of a gateway is loaded. Else it grows to some 100 MB while
 * many streams are opened, and stays so; calls gain little by it. Node.js has a flag for that (`--max-semi-space-size`), but only for who
 * starts it.
 */
export function holdYoungGeneration() {
  setFlagsFromString('--semi-space-growth-factor=1');
}
