//! The memory of a pod that gives it out in pages: some belong to one request, some are prefixes that several share.

use super::prefix_cache::PrefixCache;
use crate::request::Request;

/// A pool of pages.
#[derive(Debug)]
pub(super) struct Pages {
    total: u64,
    /// Tokens of a page, and of a block of prefixes; 0: prefixes are not kept.
    page_tokens: u64,
    prefix_tokens: u64,
    /// Pages that belong to one request alone.
    private: u64,
    prefixes: PrefixCache,
}

// === impl Pages ===

impl Pages {
    /// All free.
    pub(super) fn new(pool_tokens: u64, page_tokens: u64, prefix_tokens: u64) -> Self {
        let total = pool_tokens / page_tokens;
        Self { total, page_tokens, prefix_tokens, private: 0, prefixes: PrefixCache::default() }
    }

    /// Whether so many tokens fit when nothing else is there, with a page to spare.
    pub(super) const fn could_hold(&self, tokens: u64) -> bool {
        tokens.div_ceil(self.page_tokens) < self.total
    }

    /// Tokens in pages that are in use.
    pub(super) fn held(&self) -> u64 {
        (self.total - self.available()) * self.page_tokens
    }

    /// Pages that neither a request nor a prefix in use has: those of unused prefixes are free for the asking.
    pub(super) fn available(&self) -> u64 {
        self.total - self.private - self.prefixes.used() as u64 * self.per_block()
    }

    /// Tokens of the prompt that need not be read.
    pub(super) fn cached(&self, request: &Request) -> u64 {
        self.prefixes.found(self.blocks(request)) as u64 * self.prefix_tokens
    }

    /// Whether there are pages for so many tokens of the request, and one to write on, beside those that are `due`.
    pub(super) fn admits(&self, request: &Request, tokens: u64, due: u64) -> bool {
        let blocks = self.blocks(request);
        let (found, unused) = (self.prefixes.found(blocks), self.prefixes.found_unused(blocks));
        let needed = tokens.div_ceil(self.page_tokens) + 1;
        let there = (found - unused) as u64 * self.per_block();
        needed.saturating_sub(there) + due <= self.available()
    }

    /// Gives the request pages for so many tokens, and says how many blocks of them are shared.
    pub(super) fn take(&mut self, request: &Request, tokens: u64) -> usize {
        let blocks = self.blocks(request);
        let shared = blocks.len();
        let private = self.own(tokens, shared);
        self.prefixes.take(blocks);
        self.private += private;
        self.make_room();
        shared
    }

    /// Takes back what a request has for so many tokens, of which so many blocks are shared.
    pub(super) fn release(&mut self, request: &Request, tokens: u64, shared: usize) {
        self.private -= self.own(tokens, shared);
        let blocks = &self.blocks(request)[..shared];
        self.prefixes.give_back(blocks);
    }

    /// A request that has pages for so many tokens, of which so many blocks are shared, has one token more.
    pub(super) fn grow(&mut self, tokens: u64, shared: usize) {
        self.private += self.own(tokens + 1, shared) - self.own(tokens, shared);
    }

    /// Requests that write have so many pages more.
    pub(super) const fn add(&mut self, pages: u64) {
        self.private += pages;
    }

    /// Gives up unused prefixes until what is in use fits beside them.
    pub(super) fn make_room(&mut self) {
        let per_block = self.per_block();
        while self.private + (self.prefixes.used() + self.prefixes.unused()) as u64 * per_block > self.total
            && self.prefixes.give_up()
        {}
    }

    /// The blocks of the prompt that can be shared: the whole ones, but never all of the prompt, as the last token has to
    /// be read for the first one to be written.
    fn blocks<'a>(&self, request: &'a Request) -> &'a [u64] {
        let Some(blocks) = request.blocks.as_deref().filter(|_| self.prefix_tokens > 0) else {
            return &[];
        };
        let whole = request.input.saturating_sub(1) / self.prefix_tokens;
        &blocks[..blocks.len().min(whole as usize)]
    }

    const fn per_block(&self) -> u64 {
        self.prefix_tokens / self.page_tokens
    }

    /// Pages of its own for so many tokens, of which so many blocks are shared.
    const fn own(&self, tokens: u64, shared: usize) -> u64 {
        tokens.div_ceil(self.page_tokens) - shared as u64 * self.per_block()
    }
}
