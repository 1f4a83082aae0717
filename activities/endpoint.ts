/** Where a system is, and how we say who we are. */
export interface Endpoint {
  /** As in the settings: it may name a user and a password. */
  url: string;
  /** Bearer token; goes before a user in the URL. */
  token?: string | undefined;
}

/** The base address without its user and without a trailing slash, and the header that stands for them. */
export function addressOf({ url, token }: Endpoint): { base: string; headers: Record<string, string> } {
  const parsed = new URL(url);
  const user = [parsed.username, parsed.password].map(decodeURIComponent).join(':');
  parsed.username = '';
  parsed.password = '';
  const base = parsed.href.replace(/\/+$/, '');
  if (token) return { base, headers: { authorization: `Bearer ${token}` } };
  if (user === ':') return { base, headers: {} };
  return { base, headers: { authorization: `Basic ${Buffer.from(user).toString('base64')}` } };
}
