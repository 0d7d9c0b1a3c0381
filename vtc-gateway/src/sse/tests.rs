//! Laws of the splitter, against the standard's own reading of the whole stream at once.

use proptest::prelude::*;

use super::*;

/// The data of all events of a stream, read line by line as the standard says. An event without its
/// blank line does not count.
fn naive(stream: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8(stream.to_vec()).unwrap();
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let Some(end) = unified.rfind('\n') else {
        return Vec::new();
    };
    let mut events = Vec::new();
    let mut data: Option<String> = None;
    for line in unified[..end].split('\n') {
        if line.is_empty() {
            events.extend(data.take());
        } else {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            if name == "data" {
                let value = value.strip_prefix(' ').unwrap_or(value);
                data = Some(data.map_or(value.to_owned(), |before| format!("{before}\n{value}")));
            }
        }
    }
    events.into_iter().map(String::into_bytes).collect()
}

fn pieces(chunks: impl IntoIterator<Item = Bytes>) -> (Vec<Piece>, Option<Bytes>) {
    let mut splitter = SseSplitter::new();
    let mut pieces = Vec::new();
    for chunk in chunks {
        splitter.push(chunk);
        pieces.extend(std::iter::from_fn(|| splitter.next_event()));
    }
    (pieces, splitter.finish())
}

fn joined((pieces, rest): (Vec<Piece>, Option<Bytes>)) -> Vec<u8> {
    let bytes = pieces.into_iter().map(Piece::into_bytes).chain(rest);
    bytes.flatten().collect()
}

fn all_data(pieces: &[Piece]) -> Vec<Vec<u8>> {
    let data = pieces.iter().map(|piece| match piece {
        Piece::Event(event) => data(event).map(Cow::into_owned),
        Piece::Passthrough(_) => panic!("{piece:?} is short enough to be an event"),
    });
    data.flatten().collect()
}

/// Cuts a stream at these places, whatever their order.
fn cut(stream: &[u8], places: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut places: Vec<usize> = places.iter().map(|at| at.index(stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    let ends = places.windows(2);
    ends.map(|ends| Bytes::copy_from_slice(&stream[ends[0]..ends[1]])).collect()
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => "data: ?[ -~]{0,12}",
        1 => "(data|dat|database|data :|: ping|id: 7|event:x|é)",
        3 => Just(String::new()),
    ];
    let ended = (line, prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\r\r"]));
    (prop::collection::vec(ended, 0..12), prop_oneof![Just(""), Just("data: open")]).prop_map(
        |(lines, rest)| {
            let lines = lines.into_iter().map(|(line, end)| line + end);
            lines.chain([rest.to_owned()]).collect::<String>().into_bytes()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn bytes_in_are_bytes_out_and_events_are_the_standards_wherever_chunks_end(
        stream in stream(), places in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let (found, rest) = pieces(cut(&stream, &places));
        prop_assert_eq!(all_data(&found), naive(&stream));
        prop_assert_eq!(joined((found, rest)), stream);
    }

    #[test]
    fn any_single_split_gives_the_same_events(stream in stream()) {
        for at in 0..=stream.len() {
            let chunks = [&stream[..at], &stream[at..]].map(Bytes::copy_from_slice);
            let (found, rest) = pieces(chunks);
            prop_assert_eq!(all_data(&found), naive(&stream), "split at {}", at);
            prop_assert_eq!(joined((found, rest)), stream.clone());
        }
    }

    #[test]
    fn a_place_in_the_data_is_the_same_byte_in_the_event(stream in stream()) {
        for piece in pieces([Bytes::from(stream)]).0 {
            let event = piece.into_bytes();
            let Some(data) = data(&event) else { continue };
            for (at, &byte) in data.iter().enumerate() {
                let place = in_event(&event, Span { start: at, end: at + 1 }).unwrap();
                let found = event[place.start];
                prop_assert!(found == byte || (byte == b'\n' && found == b'\r'));
                prop_assert_eq!(place.end, place.start + 1);
            }
        }
    }
}

#[test]
fn an_event_inside_a_chunk_is_a_slice_of_it() {
    let chunk = Bytes::from_static(b"data: 1\n\ndata: 2\n\n");
    let (found, rest) = pieces([chunk.clone()]);
    assert_eq!(rest, None);
    let starts: Vec<_> = found.into_iter().map(|piece| piece.into_bytes().as_ptr()).collect();
    assert_eq!(starts, [chunk.as_ptr(), chunk[9..].as_ptr()]);
}

#[test]
fn an_event_is_out_as_soon_as_its_blank_line_is_there() {
    for end in ["\n\n", "\r\n\r\n", "\r\r", "\r\n\r", "\n\r"] {
        let mut splitter = SseSplitter::new();
        let event = Bytes::from(format!("data: 1{end}"));
        splitter.push(event.clone());
        assert_eq!(splitter.next_event(), Some(Piece::Event(event)));
        assert_eq!(splitter.next_event(), None);
    }
}

#[test]
fn a_line_feed_that_comes_late_does_not_stick_to_the_next_event() {
    let chunks = ["data: 1\r\n\r", "\ndata: 2\r\n\r", "\n"].map(|chunk| Bytes::from_static(chunk.as_bytes()));
    let (found, rest) = pieces(chunks);
    let found: Vec<_> = found.into_iter().map(Piece::into_bytes).collect();
    assert_eq!(found, ["data: 1\r\n\r", "\n", "data: 2\r\n\r", "\n"]);
    assert_eq!(rest, None);
}

#[test]
fn what_is_pushed_too_early_is_not_lost() {
    let mut splitter = SseSplitter::new();
    splitter.push(Bytes::from_static(b"data: 1\n\nda"));
    splitter.push(Bytes::from_static(b"ta: 2\n\n"));
    let event = |text: &'static str| Some(Piece::Event(Bytes::from_static(text.as_bytes())));
    assert_eq!(splitter.next_event(), event("data: 1\n\n"));
    assert_eq!(splitter.next_event(), event("data: 2\n\n"));
    assert_eq!(splitter.next_event(), None);
    splitter.push(Bytes::from_static(b"data: 3"));
    assert_eq!(splitter.finish(), Some(Bytes::from_static(b"data: 3")));
    assert_eq!(splitter.finish(), None);
}

#[test]
fn an_event_that_never_ends_is_passed_on_and_the_next_one_is_an_event_again() {
    let chunk = Bytes::from(vec![b'x'; LONGEST_HELD / 4]);
    let mut chunks = vec![Bytes::from_static(b"data: ")];
    chunks.extend(std::iter::repeat_n(chunk, 6));
    chunks.push(Bytes::from_static(b"x\n\ndata: 1\n\n"));
    let (found, rest) = pieces(chunks.clone());
    let lengths: Vec<_> = found
        .iter()
        .map(|piece| match piece {
            Piece::Passthrough(bytes) => (false, bytes.len()),
            Piece::Event(bytes) => (true, bytes.len()),
        })
        .collect();
    let quarter = LONGEST_HELD / 4;
    assert_eq!(
        lengths,
        [(false, 6 + 4 * quarter), (false, quarter), (false, quarter), (false, 3), (true, 9)]
    );
    assert_eq!(joined((found, rest)), chunks.concat());
}

#[test]
fn data_is_read_as_the_standard_says() {
    let read = |event: &'static str| data(event.as_bytes()).map(|data| data.into_owned());
    assert_eq!(read("data: a\n\n").unwrap(), b"a");
    assert_eq!(read("data:a\n\n").unwrap(), b"a");
    assert_eq!(read("data:  a \n\n").unwrap(), b" a ");
    assert_eq!(read("id: 1\r\ndata: a\r\ndata:b\r\r").unwrap(), b"a\nb");
    assert_eq!(read("data\n\n").unwrap(), b"");
    assert_eq!(read("data: a\ndata\n\n").unwrap(), b"a\n");
    assert_eq!(read(": a comment\n\n"), None);
    assert_eq!(read("database: a\n\n"), None);
    assert_eq!(read("\n"), None);
}

#[test]
fn the_end_of_a_stream_is_known() {
    assert!(is_done(b"[DONE]"));
    assert!(is_done(b"[DONE] "));
    assert!(!is_done(b"[DONE]]"));
    assert!(!is_done(b"\"[DONE]\""));
}
