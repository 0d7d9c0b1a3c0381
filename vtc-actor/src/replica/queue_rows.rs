//! What a dispatcher tells others, as rows, and rows as what it is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vtc_core::queue::{Counter, QueueNews, UserNews};

use super::row::Row;
use crate::dispatcher::{News, PodNews, PoolNews};

/// The table of a dispatcher's rows. They hold as long as the replica is there.
pub const TABLE: &str = "queues";

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Key<'a> {
    /// The dispatcher: the number of its news.
    Dispatcher,
    /// A pool's queue.
    #[serde(borrow)]
    Pool(&'a str),
    /// A user in a pool.
    User(&'a str, &'a str),
    /// A pod.
    Pod(&'a str),
}

/// What is said of a pool, apart from its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pool {
    revision: u64,
    alone: bool,
    level: Option<Counter>,
    dispatched: u64,
}

/// The row's key and value as bytes; `None` for what cannot be put into bytes, of which there is nothing.
type Bytes = (Box<[u8]>, Option<Box<[u8]>>);

/// The rows that say what these news say. Of a pool that is forgotten the rows of its users stay: without the pool's they
/// say nothing, and go with the next news that are everything.
pub fn rows_of(news: &News) -> Vec<Bytes> {
    let mut rows = vec![put(&Key::Dispatcher, Some(&news.revision))];
    for PoolNews { pool, queue } in &news.pools {
        let head = queue.as_ref().map(|queue| {
            let QueueNews { revision, alone, level, dispatched, .. } = *queue;
            Pool { revision, alone, level, dispatched }
        });
        rows.push(put(&Key::Pool(pool), head.as_ref()));
        let Some(queue) = queue else { continue };
        rows.extend(queue.forgotten.iter().map(|user| put::<UserNews>(&Key::User(pool, user), None)));
        rows.extend(queue.users.iter().map(|user| put(&Key::User(pool, &user.user), Some(user))));
    }
    for news @ PodNews { pod, running, .. } in &news.pods {
        rows.push(put(&Key::Pod(pod), (*running > 0).then_some(news)));
    }
    rows.into_iter().flatten().collect()
}

/// The news that these rows say; `whole`: they are all there are. Rows that are none, of another version perhaps, are passed
/// over.
pub fn news_of(rows: &[Row], whole: bool) -> News {
    let mut revision = None;
    let mut pools: BTreeMap<&str, Option<Pool>> = BTreeMap::new();
    let mut users: BTreeMap<&str, (Vec<UserNews>, Vec<Box<str>>)> = BTreeMap::new();
    let mut pods = Vec::new();
    for Row { key, value } in rows {
        let value = value.as_deref();
        match postcard::from_bytes(key) {
            Ok(Key::Dispatcher) => revision = value.and_then(get),
            Ok(Key::Pool(pool)) => drop(pools.insert(pool, value.and_then(get))),
            Ok(Key::User(pool, user)) => {
                let (known, forgotten) = users.entry(pool).or_default();
                match value {
                    Some(value) => known.extend(get::<UserNews>(value)),
                    None => forgotten.push(user.into()),
                }
            }
            Ok(Key::Pod(pod)) => match value {
                Some(value) => pods.extend(get::<PodNews>(value)),
                None => pods.push(PodNews { pod: pod.into(), running: 0, tokens: 0 }),
            },
            Err(_) => {}
        }
    }
    let queue = |pool: &str, head: Pool| {
        let Pool { revision, alone, level, dispatched } = head;
        let (users, forgotten) = users.remove(pool).unwrap_or_default();
        QueueNews { revision, whole, alone, level, dispatched, users, forgotten }
    };
    let pools = news_of_pools(pools, queue);
    News { revision: revision.unwrap_or_default(), whole, pools, pods }
}

fn news_of_pools(
    pools: BTreeMap<&str, Option<Pool>>,
    mut queue: impl FnMut(&str, Pool) -> QueueNews,
) -> Vec<PoolNews> {
    let news = |(pool, head): (&str, Option<Pool>)| {
        let queue = head.map(|head| queue(pool, head));
        PoolNews { pool: pool.into(), queue }
    };
    pools.into_iter().map(news).collect()
}

fn put<T: Serialize>(key: &Key<'_>, value: Option<&T>) -> Option<Bytes> {
    let bytes = |bytes: Vec<u8>| bytes.into_boxed_slice();
    let key = postcard::to_allocvec(key).map(bytes).ok()?;
    let value = value.map(postcard::to_allocvec).transpose().ok()?;
    Some((key, value.map(bytes)))
}

fn get<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Option<T> {
    postcard::from_bytes(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, waiting: u32) -> UserNews {
        UserNews {
            user: name.into(),
            era: 3,
            start: Counter::default(),
            charged: -5,
            held: 7,
            waiting,
            present: waiting > 0,
        }
    }

    fn news(whole: bool) -> News {
        let queue = QueueNews {
            revision: 4,
            whole,
            alone: true,
            level: Some(Counter::default()),
            dispatched: 9,
            users: vec![user("alice", 1), user("bob", 0)],
            forgotten: if whole { Vec::new() } else { vec!["carol".into()] },
        };
        let pods = vec![PodNews { pod: "a".into(), running: 2, tokens: 20 }];
        let pools = vec![PoolNews { pool: "llama".into(), queue: Some(queue) }];
        News { revision: 5, whole, pools, pods }
    }

    fn carried(news: &News, whole: bool) -> News {
        let rows: Vec<_> = rows_of(news).into_iter().map(|(key, value)| Row { key, value }).collect();
        news_of(&rows, whole)
    }

    #[test]
    fn news_come_out_of_their_rows() {
        for whole in [false, true] {
            assert_eq!(carried(&news(whole), whole), news(whole));
        }
    }

    #[test]
    fn what_is_no_more_is_told_as_that() {
        let mut gone = news(false);
        gone.pools[0].queue = None;
        gone.pods[0] = PodNews { pod: "a".into(), running: 0, tokens: 0 };
        assert_eq!(carried(&gone, false), gone);
        // Of users of a pool that is not there nothing is told.
        let orphan = Row { key: put::<UserNews>(&Key::User("llama", "alice"), None).unwrap().0, value: None };
        assert_eq!(news_of(&[orphan], true).pools, []);
    }

    #[test]
    fn what_is_no_row_is_passed_over() {
        let row = |key: &[u8]| Row { key: key.into(), value: Some([1, 2, 3].into()) };
        assert_eq!(news_of(&[row(b""), row(b"\xff"), row(b"\x01")], false), News::default());
    }
}
