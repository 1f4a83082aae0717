import { z } from 'zod';

// Workflow code runs in a sandbox without `new Function`, so zod must not compile its parsers. Everything that zod
// writes once for all is written here, because workers share this module frozen between runs (see worker/bundle.ts).
z.config({ jitless: true, ...z.locales.en() });
z.strictObject({});

export { z };
