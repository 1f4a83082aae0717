interface Due {
  atMs: number;
  order: number;
}

/** Binary heap: what is due first comes first; at the same moment, what has the lower order. */
export class DueQueue<T extends Due> {
  #heap: T[] = [];

  push(item: T): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Takes the first item that is due at `nowMs`. */
  takeDue(nowMs: number): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
    return first;
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#heap.length && this.#before(child, least)) least = child;
      }
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a] as T, this.#heap[b] as T];
    return x.atMs === y.atMs ? x.order < y.order : x.atMs < y.atMs;
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#heap[a] as T, this.#heap[b] as T];
    this.#heap[a] = y;
    this.#heap[b] = x;
  }
}
