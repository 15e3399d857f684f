/** What a primary does at the end of a turn of its event loop. */

/**
 * Carries publishes out behind all that was read in the same turn, and has links post what these and others have for their workers
 * behind that, in one go. A client may publish as soon as it is answered, over a connection that is read before the one on which its
 * worker has posted its interest, a moment earlier.
 */
export class TurnEnd {
  #publishes: (() => void)[] = [];
  #posts: (() => void)[] = [];
  #isSet = false;

  /** Calls `publish` behind the messages of this turn, in the order of the calls; it must not throw. */
  publishLater(publish: () => void): void {
    this.#publishes.push(publish);
    this.#set();
  }

  /** Calls `post` when all publishes of this turn are carried out; it must not throw. */
  postLater(post: () => void): void {
    this.#posts.push(post);
    this.#set();
  }

  /** Does now what waits for the end of the turn: for what must not overtake it. */
  run(): void {
    const publishes = this.#publishes;
    this.#publishes = [];
    for (const publish of publishes) publish();
    const posts = this.#posts;
    this.#posts = [];
    for (const post of posts) post();
  }

  #set(): void {
    if (this.#isSet) return;
    this.#isSet = true;
    setImmediate(this.#end);
  }

  readonly #end = (): void => {
    this.run();
    this.#isSet = false;
    if (this.#publishes.length + this.#posts.length > 0) this.#set();
  };
}
