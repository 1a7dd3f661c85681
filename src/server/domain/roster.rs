//! The agents by name: what each is called, and in which team and at which site they work. Pure.
//!
//! A file of the configuration names them, or the start of a call does (`attributes.agent_name`, `attributes.team`). The file
//! goes first. An agent belongs to the team of today: earlier calls count for it, too.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::diagnostic::{Diagnostic, FAULTS_MAX, Position, nearest};
use crate::engine::text::is_formatting;
use crate::server::config::{AGENT_NAME_CHARS_MAX, AGENTS_MAX};

/// What is known of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agent {
    pub(crate) name: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) site: Option<String>,
    /// From the file of the configuration, not from a call.
    pub(crate) of_file: bool,
}

/// All agents that are known by more than their id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roster {
    agents: HashMap<String, Agent>,
}

impl FromIterator<(String, Agent)> for Roster {
    fn from_iter<I: IntoIterator<Item = (String, Agent)>>(agents: I) -> Self {
        Self { agents: agents.into_iter().collect() }
    }
}

impl Roster {
    pub(crate) fn of(&self, agent_id: &str) -> Option<&Agent> {
        self.agents.get(agent_id)
    }

    /// By id.
    pub(crate) fn all(&self) -> Vec<(&str, &Agent)> {
        let mut all: Vec<_> = self.agents.iter().map(|(agent_id, agent)| (agent_id.as_str(), agent)).collect();
        all.sort_by_key(|(agent_id, _)| *agent_id);
        all
    }

    /// Takes what the start of a call says of its agent; what is known now, if that is news.
    pub(crate) fn note(&mut self, agent_id: &str, name: Option<&str>, team: Option<&str>) -> Option<Agent> {
        let [name, team] = [name, team].map(|text| text.filter(|text| is_name(text)));
        let known = self.agents.get(agent_id);
        if (name.is_none() && team.is_none())
            || known.is_some_and(|known| known.of_file)
            || (known.is_none() && self.agents.len() >= AGENTS_MAX)
        {
            return None;
        }
        let mut agent = known.cloned().unwrap_or_default();
        for (kept, told) in [(&mut agent.name, name), (&mut agent.team, team)] {
            if let Some(told) = told {
                *kept = Some(told.to_owned());
            }
        }
        let is_news = known != Some(&agent);
        is_news.then(|| {
            self.agents.insert(agent_id.to_owned(), agent.clone());
            agent
        })
    }

    /// Puts the agents of the file in the place of those that it named before.
    pub(crate) fn replace(&mut self, of_file: &[(String, Agent)]) {
        self.agents.retain(|_, agent| !agent.of_file);
        self.agents.extend(of_file.iter().cloned());
    }
}

fn is_name(text: &str) -> bool {
    text.trim() == text
        && (1..=AGENT_NAME_CHARS_MAX).contains(&text.chars().count())
        && !text.contains(|c| is_formatting(c) || c == char::REPLACEMENT_CHARACTER)
}

/// The columns of the file, and what their headings may be.
const COLUMNS: [(&str, &[&str]); 4] = [
    ("agent_id", &["agent_id", "工号", "坐席"]),
    ("name", &["name", "姓名", "名字"]),
    ("team", &["team", "班组", "小组", "团队", "组"]),
    ("site", &["site", "职场", "场地"]),
];

/// The agents in a CSV file.
///
/// # Errors
/// Every fault, each with its place.
pub(crate) fn parse(file: &str, text: &str) -> Result<Vec<(String, Agent)>, Vec<Diagnostic>> {
    let mut records = Records { file: Arc::from(file), text: text.trim_start_matches('\u{feff}'), line: 1 };
    let mut faults = Vec::new();
    let mut fault = |at: &Position, zh: String, en: String| {
        if faults.len() < FAULTS_MAX {
            faults.push(Diagnostic::error("agents", at.clone(), zh, en));
        }
    };
    let head = records.next().unwrap_or_default();
    let start = Position { file: Arc::from(file), line: 1, column: 1, length: 0 };
    let mut columns = Vec::new();
    for cell in &head {
        let name = cell.text.trim();
        let known = COLUMNS.iter().position(|(_, names)| names.contains(&name.to_lowercase().as_str()));
        if known.is_none() {
            let all = COLUMNS.iter().flat_map(|(_, names)| names.iter().copied());
            let near = nearest(name, all).map_or_else(|| "agent_id, name, team, site".to_owned(), str::to_owned);
            fault(
                &cell.at,
                format!("没有列“{name}”；是不是 {near}？"),
                format!("no column \"{name}\"; did you mean {near}?"),
            );
        } else if columns.contains(&known) {
            fault(&cell.at, format!("列“{name}”写了两次"), format!("the column \"{name}\" is there twice"));
        }
        columns.push(known);
    }
    if !columns.contains(&Some(0)) {
        fault(
            &start,
            "第一行要有列 agent_id（工号）".to_owned(),
            "the first line must have a column agent_id".to_owned(),
        );
    }
    let mut agents: Vec<(String, Agent)> = Vec::new();
    let mut places: HashMap<String, u32> = HashMap::new();
    for record in records {
        let Some(first) = record.first().map(|cell| cell.at.clone()) else { continue };
        // Spreadsheets leave rows of nothing but commas.
        if record.iter().all(|cell| cell.text.trim().is_empty()) {
            continue;
        }
        if record.len() > columns.len() {
            let at = &record[columns.len()].at;
            let (got, most) = (record.len(), columns.len());
            fault(
                at,
                format!("有 {got} 格，第一行只有 {most} 列"),
                format!("{got} cells, but the first line has {most} columns"),
            );
        }
        let mut values: [Option<&Cell>; 4] = [None; 4];
        for (cell, column) in record.iter().zip(&columns) {
            if let Some(column) = column {
                values[*column] = Some(cell).filter(|cell| !cell.text.trim().is_empty());
            }
        }
        for (cell, (column, _)) in values.iter().zip(COLUMNS) {
            if let Some(cell) = cell.filter(|cell| !is_name(cell.text.trim())) {
                fault(
                    &cell.at,
                    format!("{column} 要有 1 到 {AGENT_NAME_CHARS_MAX} 个字，不能有控制字符和读不出的字"),
                    format!(
                        "{column} has 1 to {AGENT_NAME_CHARS_MAX} characters, none of control and none that cannot be read"
                    ),
                );
            }
        }
        let [agent_id, name, team, site] = values.map(|cell| cell.map(|cell| cell.text.trim().to_owned()));
        let Some(agent_id) = agent_id else {
            fault(&first, "缺少工号".to_owned(), "the agent_id is missing".to_owned());
            continue;
        };
        if let Some(line) = places.insert(agent_id.clone(), first.line) {
            fault(
                &first,
                format!("工号 {agent_id} 在第 {line} 行已有"),
                format!("agent_id {agent_id} is on line {line} already"),
            );
        }
        agents.push((agent_id, Agent { name, team, site, of_file: true }));
    }
    if agents.is_empty() && columns.contains(&Some(0)) {
        fault(&start, "没有一名坐席".to_owned(), "it has no agents".to_owned());
    }
    if agents.len() > AGENTS_MAX {
        fault(&start, format!("最多 {AGENTS_MAX} 名坐席"), format!("at most {AGENTS_MAX} agents"));
    }
    if faults.is_empty() { Ok(agents) } else { Err(faults) }
}

struct Cell {
    text: String,
    at: Position,
}

/// The records of a CSV text, each cell with its place; empty lines are left out.
struct Records<'t> {
    file: Arc<str>,
    text: &'t str,
    line: u32,
}

impl Iterator for Records<'_> {
    type Item = Vec<Cell>;

    fn next(&mut self) -> Option<Vec<Cell>> {
        while let Some(rest) = self.text.strip_prefix('\n').or_else(|| self.text.strip_prefix("\r\n")) {
            self.text = rest;
            self.line += 1;
        }
        if self.text.is_empty() {
            return None;
        }
        let (mut cells, mut column) = (Vec::new(), 1);
        let cell_at = |line, column| Position { file: Arc::clone(&self.file), line, column, length: 0 };
        let mut cell = Cell { text: String::new(), at: cell_at(self.line, column) };
        let mut is_quoted = false;
        let mut chars = self.text.char_indices().peekable();
        let mut end = self.text.len();
        while let Some((place, c)) = chars.next() {
            column += 1;
            match c {
                '"' if is_quoted && chars.next_if(|(_, next)| *next == '"').is_some() => {
                    column += 1;
                    cell.text.push('"');
                }
                '"' if is_quoted || cell.text.is_empty() => is_quoted = !is_quoted,
                ',' if !is_quoted => {
                    cells.push(std::mem::replace(
                        &mut cell,
                        Cell { text: String::new(), at: cell_at(self.line, column) },
                    ));
                }
                '\n' if !is_quoted => {
                    end = place;
                    break;
                }
                '\n' => {
                    self.line += 1;
                    column = 1;
                    cell.text.push(c);
                }
                c => cell.text.push(c),
            }
        }
        self.text = &self.text[end..];
        for cell in cells.iter_mut().chain([&mut cell]) {
            cell.at.length = u32::try_from(cell.text.trim_end_matches('\r').chars().count()).unwrap_or(u32::MAX);
        }
        cells.push(cell);
        Some(cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str, team: &str, site: &str) -> Agent {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Agent { name: some(name), team: some(team), site: some(site), of_file: true }
    }

    #[test]
    fn a_table_of_agents_is_read_however_it_was_saved() {
        let text =
            "\u{feff}工号,姓名,班组,职场\r\n a7 ,\"李, 静\",售后一组,成都\r\n\r\na8,\"王\"\"芳\"\"\",,\r\na9\r\n";
        let agents = parse("agents.csv", text).unwrap();
        let expected =
            [("a7", agent("李, 静", "售后一组", "成都")), ("a8", agent("王\"芳\"", "", "")), ("a9", agent("", "", ""))];
        assert_eq!(agents, expected.map(|(id, agent)| (id.to_owned(), agent)));
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let long = "字".repeat(AGENT_NAME_CHARS_MAX + 1);
        let text = format!("agent_id,nmae,team\na7,李静,一组,x\n,王芳,一组\na7,,{long}\n\"a\nb\",,\n");
        let told: Vec<_> =
            parse("a.csv", &text).unwrap_err().iter().map(|fault| format!("{} {}", fault.at, fault.en)).collect();
        assert_eq!(
            told,
            [
                "a.csv:1:10 no column \"nmae\"; did you mean name?".to_owned(),
                "a.csv:2:10 4 cells, but the first line has 3 columns".to_owned(),
                "a.csv:3:1 the agent_id is missing".to_owned(),
                format!(
                    "a.csv:4:5 team has 1 to {AGENT_NAME_CHARS_MAX} characters, none of control and none that cannot be read"
                ),
                "a.csv:4:1 agent_id a7 is on line 2 already".to_owned(),
                format!(
                    "a.csv:5:1 agent_id has 1 to {AGENT_NAME_CHARS_MAX} characters, none of control and none that cannot be read"
                ),
            ]
        );
        let told = |text: &str| parse("a.csv", text).unwrap_err()[0].at.to_string();
        assert_eq!(
            [told(""), told("name\n李静\n"), told("team,team,agent_id\n")],
            ["a.csv:1:1", "a.csv:1:1", "a.csv:1:6"]
        );
    }

    #[test]
    fn the_file_goes_before_what_calls_say() {
        let mut roster = Roster::default();
        roster.replace(&[("a7".to_owned(), agent("李静", "一组", ""))]);
        assert_eq!(roster.note("a7", Some("别人"), Some("二组")), None);
        let known = roster.note("a8", Some("王芳"), None).unwrap();
        assert_eq!((known.name.as_deref(), known.of_file), (Some("王芳"), false));
        assert_eq!(roster.note("a8", Some("王芳"), Some(" ")), None, "no news");
        assert_eq!(roster.note("a8", None, Some("二组")).unwrap().name.as_deref(), Some("王芳"));
        roster.replace(&[]);
        let left: Vec<_> =
            roster.all().into_iter().map(|(agent_id, agent)| (agent_id, agent.team.as_deref())).collect();
        assert_eq!(left, [("a8", Some("二组"))]);
    }
}
