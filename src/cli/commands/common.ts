import { ring, text, version } from '../arguments.js';

/** Arguments and options that many commands share, to be spread: `.argument(...VERSION)`. */
export const VERSION = ['<version>', 'package, or a pasted tag', version] as const;
export const RING = ['--ring <n>', 'the ring', ring] as const;
export const REASON = ['--reason <text>', 'why', text] as const;
