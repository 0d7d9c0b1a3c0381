//! The annotated example is complete, and its defaults are the defaults.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Settings, SettingsFile};

const EXAMPLE: &str = include_str!("../../deploy/gateway.toml");

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    /// Empty, or for people.
    Prose,
    /// A setting or the head of a table.
    Active,
    /// The same, commented out.
    Default(&'a str),
    /// The same, and not what counts without it.
    Example(&'a str),
}

fn line(line: &str) -> Line<'_> {
    if line.is_empty() || line.starts_with("##") {
        return Line::Prose;
    }
    let Some(setting) = line.strip_prefix("# ") else {
        assert!(!line.starts_with('#'), "neither `## prose` nor `# setting`: {line}");
        return Line::Active;
    };
    assert!(setting.parse::<Table>().is_ok(), "no setting, and prose begins with ##: {line}");
    if setting.ends_with("# example") { Line::Example(setting) } else { Line::Default(setting) }
}

/// The example with those of its comments un-commented that are `wanted`.
fn text(wanted: impl Fn(Line<'_>) -> bool) -> String {
    let lines = EXAMPLE.lines().map(|it| match line(it) {
        kind @ (Line::Default(setting) | Line::Example(setting)) if wanted(kind) => format!("{setting}\n"),
        Line::Active => format!("{it}\n"),
        _ => "\n".to_owned(),
    });
    lines.collect()
}

fn checked(text: &str) -> String {
    format!("{:#?}", Settings::new(SettingsFile::parse(text).unwrap(), |_| None).unwrap())
}

#[test]
fn as_it_is_it_works_and_what_it_calls_a_default_is_one() {
    assert_eq!(checked(&text(|line| matches!(line, Line::Default(_)))), checked(EXAMPLE));
    // What is said of a queue is looked at only if there is one.
    let with_queue = |text: &str| {
        let queued = text.replace("discipline = \"none\"", "discipline = \"fcfs\"");
        assert_ne!(queued, text);
        checked(&queued.replace("\n[[pods]]\n", "\n[[pods]]\nmax_running = 8\n"))
    };
    let defaults = text(|line| matches!(line, Line::Default(_)));
    let nothing = EXAMPLE.replace("# discipline", "discipline");
    assert_eq!(with_queue(&defaults), with_queue(&nothing));
    let least = "[[pods]]\nname = \"a\"\nurl = \"http://127.0.0.1:8000\"";
    assert_eq!(checked(EXAMPLE), checked(least), "nothing but a pod is set");
}

/// The fields that are expected where an unknown one stands; `None` where any name is one.
fn fields(of: &Table) -> Option<BTreeSet<String>> {
    let error = SettingsFile::deserialize(Value::Table(of.clone())).err()?.to_string();
    let (_, expected) = error.split_once("unknown field `unknown`, expected ")?;
    // The next line is where. Every second piece stands between backticks.
    Some(expected.lines().next()?.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Every table under `root`, by the keys that lead to it; of a list of tables the first.
fn paths(table: &Table, path: &[String], all: &mut Vec<Vec<String>>) {
    all.push(path.to_vec());
    for (key, value) in table {
        let below = [path, std::slice::from_ref(key)].concat();
        match value {
            Value::Table(table) => paths(table, &below, all),
            Value::Array(list) => {
                list.iter().take(1).filter_map(Value::as_table).for_each(|it| paths(it, &below, all))
            }
            _ => {}
        }
    }
}

fn at<'a>(root: &'a mut Table, path: &[String]) -> &'a mut Table {
    path.iter().fold(root, |table, key| match table.get_mut(key).unwrap() {
        Value::Array(list) => list[0].as_table_mut().unwrap(),
        value => value.as_table_mut().unwrap(),
    })
}

#[test]
fn no_setting_is_missing_from_it() {
    let all = text(|_| true);
    SettingsFile::parse(&all).unwrap();
    let root: Table = all.parse().unwrap();
    let mut tables = Vec::new();
    paths(&root, &[], &mut tables);
    let mut free = Vec::new();
    for path in tables {
        let mut with_unknown = root.clone();
        let table = at(&mut with_unknown, &path);
        let shown: BTreeSet<_> = table.keys().cloned().collect();
        table.insert("unknown".to_owned(), Value::Boolean(true));
        match fields(&with_unknown) {
            Some(fields) => assert_eq!(shown, fields, "in the table {path:?}"),
            None => free.push(path.join(".")),
        }
    }
    // Where operators choose the names.
    assert_eq!(free, ["models", "models.aliases", "queue.weights"]);
}

#[test]
fn all_of_it_together_works_but_for_what_excludes_something_else() {
    // Traces need a feature; a key stands there or in the environment; a limit on sub-users needs some; there are no such files here.
    let kept = |line: &&str| {
        !["api_key = ", "password = ", "ca_file", "cert_file", "key_file", "client_ca_file", "endpoint = "]
            .iter()
            .any(|it| line.starts_with(it))
    };
    let all: Vec<_> = text(|_| true).lines().filter(kept).map(str::to_owned).collect();
    let all = all.join("\n").replace("sub_users = false", "sub_users = true");
    let file = SettingsFile::parse(&all.replace("discipline = \"none\"", "discipline = \"drr\"")).unwrap();
    let settings = Settings::new(file, |name| name.ends_with("_KEY").then(|| "key".to_owned())).unwrap();
    assert!(settings.queue.is_some() && settings.tenants.named.len() == 2, "{settings:#?}");
}
