use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use vtc_sim::request::Served;

const ARENA: &str = "arrival_s,client,input_tokens,output_tokens,first_token_s,latency_s\n";
const AZURE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n";
const MOONCAKE: &str = r#"{"timestamp": 1500, "input_length": 600, "output_length": 50, "hash_ids": [0, 7]}"#;

fn of(text: impl AsRef<[u8]>) -> Result<Trace, TraceError> {
    parse("a.csv", text.as_ref())
}

#[track_caller]
fn says(text: impl AsRef<[u8]>, expected: &str) {
    let error = of(text).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}\nshould begin with\n{expected}");
}

#[test]
fn a_result_is_requests_and_what_became_of_them() {
    let trace = of(format!("{ARENA}2.5,10,7,8,0.25,1\n0.5,2,3,4,-1.000000,-1\n")).unwrap();
    assert_eq!(trace.format, Format::Arena);
    assert_eq!(trace.clients, ["2".into(), "10".into()], "by size, and not by text");
    let refused = Outcome { arrival: 0.5, client: 0, input: 3, output: 4, served: None };
    let served = Some(Served { first_token: 2.75, end: 3.5 });
    let served = Outcome { arrival: 2.5, client: 1, input: 7, output: 8, served };
    assert_eq!(trace.outcomes.unwrap(), [refused, served]);
    let second = Request { arrival: 2.5, client: 1, input: 7, output: 8, guess: None, blocks: None };
    assert_eq!(trace.requests[1], second);
}

#[test]
fn columns_go_by_their_names() {
    let text = "\u{feff}latency_s,note,client,arrival_s,output_tokens,first_token_s,input_tokens\r\n\
                2,\"a, b\",bob,1,20,1,10\r\n";
    let outcome = of(text).unwrap().outcomes.unwrap()[0];
    let served = Some(Served { first_token: 2.0, end: 3.0 });
    assert_eq!(outcome, Outcome { arrival: 1.0, client: 0, input: 10, output: 20, served });
}

#[test]
fn azures_times_count_from_the_first_to_a_tenth_of_a_microsecond() {
    let text = "2023-11-16 23:59:59.9999999,374,44\r\n2023-11-17 00:00:00.5000001,396,109";
    let trace = of(format!("{AZURE}{text}")).unwrap();
    assert_eq!((trace.format, trace.outcomes), (Format::Azure, None));
    assert_eq!(trace.requests[0].arrival, 0.0);
    assert_eq!(trace.requests[1].arrival, 0.5000002);
    assert_eq!((trace.requests[1].input, trace.requests[1].output), (396, 109));
}

#[test]
fn azures_rows_may_come_in_any_order() {
    let trace = of(format!("{AZURE}2023-11-16 10:00:02,3,4\r\n2023-11-16 10:00:00,1,2\r\n")).unwrap();
    let arrivals: Vec<_> = trace.requests.iter().map(|request| (request.arrival, request.input)).collect();
    assert_eq!(arrivals, [(0.0, 1), (2.0, 3)]);
}

#[test]
fn mooncakes_conversations_are_its_clients() {
    let line = |at: u32, ids: &str| {
        format!(
            r#"{{"timestamp": {at}, "input_length": 600, "output_length": 50, "hash_ids": [{ids}], "more": 1}}"#
        )
    };
    let text = [line(1500, "0, 7"), String::new(), line(1501, "0, 8"), line(2000, "0, 7, 9"), line(9, "0")];
    let trace = of(text.join("\n")).unwrap();
    let clients: Vec<_> = trace.requests.iter().map(|request| request.client).collect();
    assert_eq!(clients, [2, 0, 1, 0], "by arrival");
    assert_eq!((trace.format, trace.clients.len()), (Format::Mooncake, 3));
    assert_eq!(trace.requests[1].arrival, 1.5);
    assert_eq!(trace.requests[3].blocks.as_deref(), Some(&[0, 7, 9][..]));
}

#[test]
fn what_is_wrong_is_said_with_file_line_and_what_is_expected() {
    says("", "a.csv: there are no requests in it");
    says(ARENA, "a.csv: there are no requests in it");
    says(AZURE, "a.csv: there are no requests in it");
    says(
        "a,b,c\n1,2,3\n",
        "a.csv: the first line is of no known format; give a header with the columns arrival_s,",
    );
    says("arrival_s,client\n1,2\n", "a.csv: the header has no column input_tokens; give arrival_s,client,");
    for (row, expected) in [
        ("1,2,3,4,5", "5 fields where the header has 6"),
        ("x,2,3,4,5,6", r#"arrival_s is "x"; give seconds from 0 to 10000000"#),
        ("-1,2,3,4,5,6", r#"arrival_s is "-1"; give seconds"#),
        ("NaN,2,3,4,5,6", r#"arrival_s is "NaN"; give seconds"#),
        ("1e300,2,3,4,5,6", r#"arrival_s is "1e300"; give seconds"#),
        ("1,,3,4,5,6", r#"client is ""; give the client's number or name"#),
        ("1,2,3.5,4,5,6", r#"input_tokens is "3.5"; give a whole number of tokens from 0"#),
        ("1,2,3,-4,5,6", r#"output_tokens is "-4"; give a whole number of tokens from 0"#),
        ("1,2,3,4,inf,6", r#"first_token_s is "inf"; give seconds from 0 to 10000000, or -1 for a request"#),
        ("1,2,3,4,-2,6", r#"first_token_s is "-2"; give seconds"#),
        ("1,2,3,4,5,", r#"latency_s is ""; give seconds"#),
        ("1,2,3,4,6,5", r#"latency_s is "5"; give no less than first_token_s"#),
        ("1,2,3,4,-1,5", r#"latency_s is "5"; give -1 where first_token_s is -1, and only there"#),
        ("1,2,3,4,5,-1", r#"latency_s is "-1"; give -1 where"#),
    ] {
        says(format!("{ARENA}0,0,1,1,1,1\n{row}\n"), &format!("a.csv:3: {expected}"));
    }
    says(
        format!("{AZURE}2023-11-16,1,2\r\n2023-11-16 25:00:00,1,2\r\n"),
        "a.csv:3: TIMESTAMP is \"2023-11-16 25:00:00\"; give a date and a time, like 2023-11-16 18:15:46.6805900",
    );
    says(
        format!("{MOONCAKE}\n{{\"timestamp\": 1}}\n"),
        "a.csv:2: missing field `input_length`, at column 16; give a JSON object with timestamp (milliseconds), ",
    );
    says(
        format!("{MOONCAKE}\n\n{{\"timestamp\": "),
        "a.csv:3: EOF while parsing a value, at column 14; give a JSON",
    );
    says(
        MOONCAKE.replace("1500", "10000000001"),
        "a.csv:1: timestamp is \"10000000001\"; give milliseconds from 0",
    );
    for (end, blank) in [("\n", ""), ("\r\n", ""), ("\n", " "), ("\r\n", "\r\n")] {
        let lines = [ARENA.trim(), "0,0,1,1,1,1", blank, blank, "0,\"0\",1,1,1,1", "1,2,3", ""].join(end);
        let line = if blank == "\r\n" { 8 } else { 6 };
        says(&lines, &format!("a.csv:{line}: 3 fields where the header has 6"));
        assert_eq!(of(lines.replace("1,2,3", "")).unwrap().requests.len(), 2);
    }
    let not_text = [ARENA.as_bytes(), b"1,\xff,3,4,5,6\n"].concat();
    says(not_text, "a.csv:2: the line is not UTF-8 text");
    let error = read("no/such.csv").unwrap_err().to_string();
    assert!(error.starts_with("no/such.csv: cannot be read: "), "{error}");
}

proptest! {
    #[test]
    fn whatever_is_in_a_file_nothing_panics(rest in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = of(&rest);
        for start in [ARENA, AZURE, MOONCAKE, "{"] {
            let _ = of([start.as_bytes(), &rest].concat());
        }
    }

    #[test]
    fn what_is_written_is_read(
        rows in proptest::collection::vec((0..9_000_000u32, 0..5u32, 0..99u32, 0..99u32, 0..99u32, 0..99u32), 1..50),
    ) {
        let mut text = ARENA.to_owned();
        for (arrival, client, input, output, first, rest) in &rows {
            let first = f64::from(*first) / 8.0;
            let last = first + f64::from(*rest) / 8.0;
            text += &format!("{},{client},{input},{output},{first:.6},{last:.6}\n", f64::from(*arrival) / 8.0);
        }
        let trace = of(text).unwrap();
        let mut rows = rows;
        rows.sort_by_key(|row| row.0);
        for ((arrival, client, input, output, first, rest), outcome) in rows.into_iter().zip(trace.outcomes.unwrap()) {
            let served = outcome.served.unwrap();
            prop_assert_eq!(outcome.arrival * 8.0, f64::from(arrival));
            prop_assert_eq!(trace.clients[outcome.client as usize].to_string(), client.to_string());
            prop_assert_eq!((outcome.input, outcome.output), (input.into(), output.into()));
            prop_assert_eq!((served.first_token - outcome.arrival) * 8.0, f64::from(first));
            prop_assert_eq!((served.end - served.first_token) * 8.0, f64::from(rest));
        }
    }
}

/// The published files, where `VTC_TRACES` says they are.
#[test]
fn the_published_files_are_read_whole() {
    let Some(folder) = std::env::var_os("VTC_TRACES").map(PathBuf::from) else {
        eprintln!("skipped: VTC_TRACES does not name the folder with the traces");
        return;
    };
    let read = |name: &str| read(folder.join(name)).unwrap();
    for (name, refused) in [("vtc_arena_fcfs", 0), ("vtc_arena_vtc", 0), ("vtc_arena_rpm5", 919)] {
        let trace = read(&format!("{name}.csv"));
        assert_eq!((trace.format, trace.requests.len()), (Format::Arena, 1500));
        let numbers: Vec<Arc<str>> = (0..27).map(|number| number.to_string().into()).collect();
        assert_eq!(trace.clients, numbers);
        assert_eq!(trace.outcomes.unwrap().iter().filter(|of| of.served.is_none()).count(), refused);
    }
    let azure = read("azure_2023_conv.csv");
    assert_eq!((azure.format, azure.requests.len(), azure.clients.len()), (Format::Azure, 19_366, 1));
    assert_eq!(azure.requests[1].arrival, 4.314579);
    let mooncake = read("mooncake_conversation.jsonl");
    assert_eq!((mooncake.format, mooncake.requests.len()), (Format::Mooncake, 12_031));
    assert_eq!(mooncake.clients.len(), 7_373);
    assert_eq!(mooncake.requests[12_030].arrival, 3536.999);
}
