//! The shape of the code: which file names which. It is read from the source, as text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use regex::Regex;

/// A file by its path as a module: `["operations", "records", "rules"]`; a `mod.rs` by its folder's.
type Module = Vec<String>;
/// What each file names.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

/// Files of one circle of imports.
const MAX_CIRCLE: usize = 5;

fn module_of(file: &Path, root: &Path) -> Module {
    let relative = file.strip_prefix(root).unwrap().with_extension("");
    let mut module: Module = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

fn sources(directory: &Path, root: &Path, found: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, root, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(module_of(&path, root), without_tests(&fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Without comments, texts and what is compiled for tests alone. What comes first decides: a comment may hold a quote, and
/// a text the signs of a comment.
fn without_tests(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let hidden = Regex::new(
        r##"(?sx) //[^\n]* | /\*.*?\*/ | r\#".*?"\# | r"[^"]*" | "(?:\\.|[^"\\])*" | '(?:\\.[^']*|[^'\\])' "##,
    )
    .unwrap();
    let kept = |found: &regex::Captures<'_>| if found[0].starts_with('/') { "" } else { "\"\"" }.to_owned();
    hidden.replace_all(source, kept).into_owned()
}

#[test]
fn texts_and_comments_hide_nothing_that_follows() {
    for before in
        ["\"https://x\"", "r#\"a \" // b\"#", "'\"'", "b'/'", "// a \" in a comment\n", "/* \" */", "\"\\\"//\""]
    {
        let source = format!("fn f<'a>() {{ {before}; }} use crate::wire::call; // \"");
        assert!(without_tests(&source).contains("use crate::wire::call;"), "{before}");
    }
    assert!(!without_tests("\"use crate::wire\"").contains("wire"));
}

/// The paths that a tree of `use` stands for.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let (mut depth, mut start) = (0, 0);
    let mut items = Vec::new();
    for (at, letter) in tree.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&tree[start..]);
    for item in items.into_iter().map(str::trim).filter(|item| !item.is_empty()) {
        match item.split_once('{') {
            Some((before, inside)) => {
                expand(&format!("{prefix}{before}"), inside.trim_end().strip_suffix('}').unwrap(), paths);
            }
            None => paths.push(format!("{prefix}{}", item.split(" as ").next().unwrap().trim())),
        }
    }
}

/// A path from the root of the crate; `None` where it leads out of it.
fn absolute(path: &str, module: &Module, files: &BTreeMap<Module, String>) -> Option<Module> {
    let mut parts: Vec<&str> = path.split("::").map(str::trim).collect();
    let mut base: Module = match parts[0] {
        "crate" | "tsunagi" => Vec::new(),
        "self" => module.clone(),
        "super" => {
            let ups = parts.iter().take_while(|part| **part == "super").count();
            parts.drain(..ups - 1);
            module[..module.len().checked_sub(ups)?].to_vec()
        }
        first => {
            let child: Module = module.iter().cloned().chain([first.to_owned()]).collect();
            return files
                .contains_key(&child)
                .then(|| module.iter().cloned().chain(parts.iter().map(|part| (*part).to_owned())).collect());
        }
    };
    base.extend(parts[1..].iter().filter(|part| **part != "self").map(|part| (*part).to_owned()));
    Some(base)
}

/// The file in which a path ends.
fn file_of(path: &[String], files: &BTreeMap<Module, String>) -> Option<Module> {
    (1..=path.len()).rev().map(|length| path[..length].to_vec()).find(|module| files.contains_key(module))
}

fn imports(files: &BTreeMap<Module, String>) -> Imports {
    let statement = Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?use\s+([^;]+);").unwrap();
    let inline = Regex::new(r"\b(?:crate|super|self)(?:::\w+)+").unwrap();
    let qualified = Regex::new(r"\b(\w+)((?:::\w+)+)").unwrap();
    let mut imports = Imports::new();
    for (module, source) in files {
        let mut paths = Vec::new();
        for found in statement.captures_iter(source) {
            expand("", &found[1], &mut paths);
        }
        let code = statement.replace_all(source, "");
        paths.extend(inline.find_iter(&code).map(|found| found.as_str().to_owned()));
        let named: Vec<Module> = paths.iter().filter_map(|path| absolute(path, module, files)).collect();
        // What is imported as a room and used as `room::file::name`.
        let rooms: BTreeMap<&str, &Module> =
            named.iter().filter_map(|path| Some((path.last()?.as_str(), path))).collect();
        let through_rooms = qualified.captures_iter(&code).filter_map(|found| {
            let room = *rooms.get(&found[1])?;
            Some(room.iter().cloned().chain(found[2].split("::").skip(1).map(str::to_owned)).collect::<Module>())
        });
        let all = named.iter().cloned().chain(through_rooms);
        let to = all.filter_map(|path| file_of(&path, files)).filter(|to| to != module).collect();
        imports.insert(module.clone(), to);
    }
    imports
}

/// Files that name each other in a circle, largest circle first (Tarjan).
fn circles(imports: &Imports) -> Vec<Vec<Module>> {
    #[derive(Default)]
    struct Walk<'a> {
        index: BTreeMap<&'a Module, usize>,
        low: BTreeMap<&'a Module, usize>,
        path: Vec<&'a Module>,
        circles: Vec<Vec<Module>>,
    }
    fn visit<'a>(walk: &mut Walk<'a>, module: &'a Module, imports: &'a Imports) {
        let number = walk.index.len();
        walk.index.insert(module, number);
        walk.low.insert(module, number);
        walk.path.push(module);
        for to in imports.get(module).into_iter().flatten() {
            let low = match walk.index.get(to) {
                None => {
                    visit(walk, to, imports);
                    walk.low[to]
                }
                Some(at) if walk.path.contains(&to) => *at,
                Some(_) => continue,
            };
            let own = walk.low.get_mut(module).unwrap();
            *own = low.min(*own);
        }
        if walk.low[module] == number {
            let at = walk.path.iter().position(|on| *on == module).unwrap();
            let circle: Vec<Module> = walk.path.drain(at..).cloned().collect();
            if circle.len() > 1 {
                walk.circles.push(circle);
            }
        }
    }
    let mut walk = Walk::default();
    for module in imports.keys() {
        if !walk.index.contains_key(module) {
            visit(&mut walk, module, imports);
        }
    }
    walk.circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    walk.circles
}

/// What breaks the shape: one line for each.
fn faults(files: &BTreeMap<Module, String>) -> Vec<String> {
    let imports = imports(files);
    let mut faults = Vec::new();
    for circle in circles(&imports).into_iter().filter(|circle| circle.len() > MAX_CIRCLE) {
        let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
        faults.push(format!("a circle of {} files: {}", names.len(), names.join(", ")));
    }
    let room = |module: &Module| module.first().cloned().unwrap_or_default();
    for (from, to) in imports.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to))) {
        let forbidden: &[&str] = match room(from).as_str() {
            // An operation knows no face, and nothing of who serves it.
            "operations" => &["wire", "web", "server", "cli"],
            // A face reaches no store and no seal.
            "wire" | "web" => &["store", "keys", "node", "server", "cli"],
            "domain" => &["operations", "wire", "web", "server", "store", "node", "journal"],
            "store" | "journal" | "disclosure" => &["operations", "wire", "web", "server", "node", "cli"],
            "clock" | "config" | "files" | "planted" => &["operations", "wire", "web", "server", "store", "journal"],
            _ => &[],
        };
        if forbidden.contains(&room(to).as_str()) {
            faults.push(format!("{} names {}", from.join("::"), to.join("::")));
        }
        if matches!(room(from).as_str(), "wire" | "web") && *to == ["disclosure", "sealed"] {
            faults.push(format!("{} names a seal", from.join("::")));
        }
    }
    let foreign = Regex::new(r"\b(axum|hyper|serde_json|HeaderMap|StatusCode|media_type)\b").unwrap();
    for (module, source) in files.iter().filter(|(module, _)| room(module) == "operations") {
        if let Some(found) = foreign.find(source) {
            faults.push(format!("{} names {}", module.join("::"), found.as_str()));
        }
    }
    faults
}

fn today() -> BTreeMap<Module, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    sources(&root, &root, &mut files);
    assert!(files.len() > 150, "the source was not found");
    files
}

#[test]
fn rooms_name_each_other_in_one_direction() {
    let faults = faults(&today());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The twin: each kind of fault, planted, is found.
#[test]
fn a_planted_tie_is_found() {
    let planted = |module: &[&str], line: &str| {
        let mut files = today();
        let module: Module = module.iter().map(|part| (*part).to_owned()).collect();
        let source = files.get_mut(&module).expect("a file to plant in");
        source.push_str(&format!("\n{line}"));
        faults(&files)
    };
    for (module, line, expected) in [
        (&["operations", "records", "close_record"][..], "use crate::wire::call::Call;", "names wire::call"),
        (&["operations", "records", "rules"], "fn planted() -> axum::http::HeaderMap {}", "names axum"),
        (&["operations", "records", "attach_file"], "struct Planted { media_type: String }", "names media_type"),
        (&["operations", "records", "rules"], "const A: &str = \"a://b\"; use crate::wire::json;", "names wire::json"),
        (&["wire", "records"], "fn planted() { crate::store::records::find; }", "names store::records"),
        (&["wire", "answer"], "use crate::disclosure::sealed::Sealed;", "names a seal"),
        (&["domain", "transfer"], "use crate::store::{self, open::Store};", "names store::open"),
        (&["store", "error"], "use crate::node::open::OpenError;", "a circle of"),
    ] {
        let faults = planted(module, line);
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{line}: {faults:?}");
    }
}

/// Names that several files may give to a type of their own, which no other file sees.
const LOCAL_HABITS: [(&str, &str); 2] = [
    ("Inner", "what stands behind the lock or the pointer of the type above it"),
    ("Row", "the columns that the statements of one file of the store read"),
];

/// Types that share a name: a reader of one would take it for the other.
fn twins(files: &BTreeMap<Module, String>) -> Vec<String> {
    let definition = Regex::new(r"(?m)^(pub(?:\([^)]*\))? )?(?:struct|enum|union|trait|type) (\w+)").unwrap();
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (module, source) in files {
        for found in definition.captures_iter(source) {
            let name = found.get(2).unwrap().as_str();
            let is_local_habit = found.get(1).is_none() && LOCAL_HABITS.iter().any(|(habit, _)| *habit == name);
            if !is_local_habit {
                places.entry(name).or_default().push(module.join("::"));
            }
        }
    }
    let twins = places.into_iter().filter(|(_, places)| places.len() > 1);
    twins.map(|(name, places)| format!("{name} is a type in {}", places.join(" and in "))).collect()
}

#[test]
fn no_two_types_share_a_name() {
    let twins = twins(&today());
    assert!(twins.is_empty(), "{}", twins.join("\n"));
}

/// The twin: a second type of a name is found, public or not.
#[test]
fn a_planted_namesake_is_found() {
    for line in ["pub struct Role;", "pub(crate) enum Role {}", "type Role = ();", "pub struct Row;\npub struct Row;"] {
        let mut files = today();
        files.get_mut(&vec!["search".to_owned(), "fold".to_owned()]).unwrap().push_str(&format!("\n{line}"));
        assert_eq!(twins(&files).len(), 1, "{line}");
    }
}

/// Statements that name an authenticated table by hand, and why: all others go by `store::rows`, which checks what it reads
/// and marks what it writes.
const BY_HAND: [(&str, &str, &str); 11] = [
    ("append", "inbox", "one statement with the entry; it writes the marks that `inbox` makes"),
    ("inbox", "inbox", "many messages at once, with their marks; the latest position, which decides nothing"),
    ("records", "records", "many records at once, with their marks"),
    ("records", "record_versions", "many versions at once, with their marks"),
    ("edit_locks", "records", "takes the lock of a row and changes nothing"),
    ("rewraps", "records", "counts, to tell how far a pass is"),
    ("oversight", "records", "whose records glasses were broken on; each row is checked, and the record it hangs on"),
    ("notices", "missing_notices", "which notices stand; each row is checked, and the notice it hangs on"),
    ("idempotency", "idempotency", "the oldest, by their keys, of which each row is then checked"),
    ("reads", "*", "clauses of the one statement that reads a record; each of its rows is checked"),
    ("sql", "inbox", "many messages at once, with their marks"),
];

/// Where an authenticated table is named by hand and nobody said why: one line for each.
fn unguarded(files: &[(String, String)]) -> Vec<String> {
    let (_, declared) = files.iter().find(|(file, _)| file == "rows/tables.rs").expect("the declarations");
    let name = Regex::new(r#"MarkedTable::new\(\s*\d+,\s*"(\w+)""#).unwrap();
    let tables: Vec<&str> = name.captures_iter(declared).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(tables.len() > 20, "the declarations were not found");
    let named = Regex::new(&format!(r"\b(?:FROM|INTO|UPDATE|JOIN)\s+({})\b", tables.join("|"))).unwrap();
    let mut found = Vec::new();
    for (file, source) in files.iter().filter(|(file, _)| !file.starts_with("rows/")) {
        let stem = file.split(['/', '.']).next().unwrap();
        for table in named.captures_iter(source).map(|found| found.get(1).unwrap().as_str()) {
            let is_said = BY_HAND.iter().any(|(of, name, _)| *of == stem && (*name == table || *name == "*"));
            if !is_said {
                found.push(format!("store/{file} names {table}"));
            }
        }
    }
    found
}

fn store_files() -> Vec<(String, String)> {
    fn collect(directory: &Path, root: &Path, files: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, root, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    files
}

#[test]
fn authenticated_tables_are_reached_through_their_guard() {
    let unguarded = unguarded(&store_files());
    assert!(unguarded.is_empty(), "{}", unguarded.join("\n"));
}

/// The twin: a statement by hand is found, wherever it is.
#[test]
fn a_planted_statement_by_hand_is_found() {
    for (file, statement) in [
        ("accounts.rs", "UPDATE staff SET roles = $1"),
        ("transfers.rs", "SELECT 1 FROM transfers"),
        ("records.rs", "DELETE FROM sessions"),
    ] {
        let mut files = store_files();
        files.iter_mut().find(|(name, _)| name == file).unwrap().1.push_str(statement);
        assert_eq!(unguarded(&files).len(), 1, "{statement}");
    }
}
