import { z } from 'zod';

// Workflow code runs in a sandbox without `new Function`, so zod must not compile its parsers.
z.config({ jitless: true });

export { z };
