//! The documentation, as it stands in `docs/`, at `/docs`: Markdown built into the binary and made HTML when
//! the first reader asks. It works without scripts; with them it can be searched and its examples copied.
//!
//! Deliberately absent: a build step, and anything from another server. Links to files of the source that are
//! no page here are shown as names.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_LANGUAGE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use serde::Serialize;

use crate::server::domain::refusal::ErrorMessage;
use crate::server::http::pages;
use crate::server::net::reply;
use crate::server::runtime::Shared;

/// The HTML around a page.
const SHELL: &str = include_str!("../../../web/docs/shell.html");

/// A language of the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Language {
    Zh,
    En,
}

impl Language {
    const ALL: [Self; 2] = [Self::Zh, Self::En];

    const fn name(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }

    const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name() == name)
    }

    /// What a browser prefers; Chinese unless it says English first.
    fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
        let mut known = accepted.split(',').filter_map(|one| {
            let name = one.trim().to_ascii_lowercase();
            Self::ALL.into_iter().find(|language| name.starts_with(language.name()))
        });
        known.next().unwrap_or(Self::Zh)
    }

    const fn says(self, zh: &'static str, en: &'static str) -> &'static str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

/// A page: its name, and its text in both languages; one that is written in one language only is shown in it.
struct Source {
    name: &'static str,
    /// The file in the source tree, without its ending.
    file: &'static str,
    zh: Option<&'static str>,
    en: Option<&'static str>,
}

macro_rules! sources {
    ($($group:literal, $group_en:literal { $($name:literal: $file:literal $(, $language:ident)?;)+ })+) => {
        /// The pages by group, in the order of reading.
        const GROUPS: &[(&str, &str, &[Source])] = &[$(($group, $group_en, &[$(source!($name, $file $(, $language)?)),+])),+];
    };
}

macro_rules! source {
    ($name:literal, $file:literal) => {
        Source {
            name: $name,
            file: $file,
            zh: Some(include_str!(concat!("../../../", $file, ".zh-CN.md"))),
            en: Some(include_str!(concat!("../../../", $file, ".md"))),
        }
    };
    ($name:literal, $file:literal, en) => {
        Source { name: $name, file: $file, zh: None, en: Some(include_str!(concat!("../../../", $file, ".md"))) }
    };
    ($name:literal, $file:literal, zh) => {
        Source { name: $name, file: $file, zh: Some(include_str!(concat!("../../../", $file, ".md"))), en: None }
    };
}

sources! {
    "入门", "Begin" {
        "start": "docs/start";
        "faq": "docs/faq";
        "check": "docs/check";
    }
    "规则", "Rules" {
        "rule-form": "docs/rule-form";
        "rules": "docs/rules";
        "coverage": "docs/coverage", zh;
    }
    "对接", "Connect" {
        "events": "docs/events";
        "asr": "docs/asr";
        "bus": "docs/bus";
        "freeswitch": "docs/integrate/freeswitch";
        "asterisk": "docs/integrate/asterisk";
        "media-servers": "docs/integrate/media-servers";
        "api": "docs/api";
        "webhooks": "docs/webhooks";
    }
    "运行", "Operate" {
        "install": "docs/install";
        "operate": "docs/operate";
        "sizing": "docs/sizing";
        "security": "docs/security";
        "config": "docs/config";
        "metrics": "docs/metrics";
        "upgrade": "docs/upgrade";
    }
    "开发", "Develop" {
        "architecture": "ARCHITECTURE";
        "changelog": "CHANGELOG", en;
    }
}

impl Source {
    fn text(&self, language: Language) -> (Language, &'static str) {
        let (own, other) = match language {
            Language::Zh => (self.zh, (Language::En, self.en)),
            Language::En => (self.en, (Language::Zh, self.zh)),
        };
        match own {
            Some(text) => (language, text),
            None => (other.0, other.1.unwrap_or_default()),
        }
    }

    /// The page that a link to `target` means, from a file in `directory`, with its anchor.
    fn linked(directory: &str, target: &str) -> Option<(&'static Self, Option<Language>, String)> {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = resolved(directory, path)?;
        let (file, language) = match path.strip_suffix(".zh-CN.md") {
            Some(file) => (file, Some(Language::Zh)),
            None => (path.strip_suffix(".md")?, None),
        };
        let page = all().find(|source| source.file == file)?;
        Some((page, language, anchor.to_owned()))
    }

    fn directory(&self) -> &'static str {
        self.file.rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

fn all() -> impl Iterator<Item = &'static Source> {
    GROUPS.iter().flat_map(|(_, _, sources)| sources.iter())
}

/// `path` from `directory`, without `.` and `..`.
fn resolved(directory: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What a heading is called in an address, as code hosts call it.
#[derive(Default)]
struct Anchors(BTreeMap<String, usize>);

impl Anchors {
    fn of(&mut self, heading: &str) -> String {
        let slug: String = heading
            .trim()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                '-' | '_' => Some(c),
                c if c.is_alphanumeric() => Some(c),
                _ => None,
            })
            .flat_map(char::to_lowercase)
            .collect();
        let seen = self.0.entry(slug.clone()).or_default();
        *seen += 1;
        if *seen == 1 { slug } else { format!("{slug}-{}", *seen - 1) }
    }
}

/// A page as HTML.
struct Page {
    title: String,
    body: String,
    /// Level, text and anchor of each heading below the title.
    headings: Vec<(HeadingLevel, String, String)>,
    sections: Vec<Section>,
}

/// A stretch of a page that a search finds.
#[derive(Serialize)]
struct Section {
    page: &'static str,
    title: String,
    heading: String,
    anchor: String,
    text: String,
}

fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH)
}

/// The language of a page's other version stands in a line of its own; the page has a switch instead.
fn without_twin<'t>(source: &Source, text: &'t str) -> std::borrow::Cow<'t, str> {
    let twin = |line: &str| {
        let target = line.trim().strip_prefix('[').and_then(|line| line.strip_suffix(')'));
        let target = target.and_then(|line| line.split_once("](")).map(|(_, target)| target);
        target
            .and_then(|target| Source::linked(source.directory(), target))
            .is_some_and(|(page, ..)| page.name == source.name)
    };
    match text.lines().take(8).find(|line| twin(line)) {
        Some(line) => text.replacen(line, "", 1).into(),
        None => text.into(),
    }
}

impl Page {
    fn of(source: &'static Source, language: Language) -> Self {
        let (written, text) = source.text(language);
        let text = without_twin(source, text);
        let mut page = Self { title: String::new(), body: String::new(), headings: Vec::new(), sections: Vec::new() };
        let mut section = Section {
            page: source.name,
            title: String::new(),
            heading: String::new(),
            anchor: String::new(),
            text: String::new(),
        };
        let mut anchors = Anchors::default();
        let mut events = Vec::new();
        let mut heading: Option<(usize, HeadingLevel, String)> = None;
        // Links that lead nowhere here end as names.
        let mut dropped = Vec::new();
        for event in parser(&text) {
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    heading = Some((events.len(), level, String::new()));
                    events.push(Event::Text("".into()));
                    continue;
                }
                Event::End(TagEnd::Heading(_)) => {
                    let Some((place, level, text)): Option<(usize, HeadingLevel, String)> = heading.take() else {
                        continue;
                    };
                    let anchor = anchors.of(&text);
                    let id = escaped(&anchor);
                    events[place] = Event::Html(format!("<{level} id=\"{id}\">").into());
                    let link = if level == HeadingLevel::H1 {
                        String::new()
                    } else {
                        let name = language.says("本节的链接", "Link to this section");
                        format!(" <a class=\"anchor\" href=\"#{id}\" aria-label=\"{name}\">#</a>")
                    };
                    events.push(Event::Html(format!("{link}</{level}>\n").into()));
                    if level == HeadingLevel::H1 && page.title.is_empty() {
                        page.title.clone_from(&text);
                        section.title.clone_from(&text);
                    } else {
                        let next = Section {
                            page: source.name,
                            title: page.title.clone(),
                            heading: text.clone(),
                            anchor: anchor.clone(),
                            text: String::new(),
                        };
                        page.sections.push(std::mem::replace(&mut section, next));
                        page.headings.push((level, text, anchor));
                    }
                    continue;
                }
                Event::Text(ref text) | Event::Code(ref text) => {
                    match &mut heading {
                        Some((.., words)) => words.push_str(text),
                        None => {
                            section.text.push_str(text);
                            section.text.push(' ');
                        }
                    }
                    events.push(event);
                }
                // The policy of pages takes no styles inside of HTML.
                Event::Start(Tag::Table(columns)) => {
                    events.push(Event::Html("<div class=\"table\">".into()));
                    events.push(Event::Start(Tag::Table(vec![Alignment::None; columns.len()])));
                }
                Event::End(TagEnd::Table) => {
                    events.push(event);
                    events.push(Event::Html("</div>\n".into()));
                }
                Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                    match address(source, written, language, &dest_url) {
                        Some(address) => {
                            dropped.push(false);
                            events.push(Event::Start(Tag::Link { link_type, dest_url: address, title, id }));
                        }
                        None => {
                            dropped.push(true);
                            let path = resolved(source.directory(), &dest_url).unwrap_or_default();
                            events.push(Event::Html(
                                format!("<span class=\"source\" title=\"{}\">", escaped(&path)).into(),
                            ));
                        }
                    }
                }
                Event::End(TagEnd::Link) => {
                    let is_dropped = dropped.pop().unwrap_or_default();
                    events.push(if is_dropped { Event::Html("</span>".into()) } else { event });
                }
                // Pictures are in the source only.
                Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => {}
                event => events.push(event),
            }
        }
        page.sections.push(section);
        page.sections.retain(|section| !section.text.trim().is_empty() || !section.heading.is_empty());
        html::push_html(&mut page.body, events.into_iter());
        page
    }
}

/// The address here of what a page links to; `None` where there is none.
fn address(source: &Source, written: Language, shown: Language, target: &str) -> Option<CowStr<'static>> {
    let is_outside = ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme));
    if is_outside || target.starts_with('#') {
        return Some(target.to_owned().into());
    }
    let (page, language, anchor) = Source::linked(source.directory(), target)?;
    // From and to a page that is written in one language only the reader's stays.
    let is_twin = page.zh.is_some() && page.en.is_some() && written == shown;
    let language = if is_twin { language.unwrap_or(Language::En) } else { shown };
    let anchor = if anchor.is_empty() { String::new() } else { format!("#{anchor}") };
    Some(format!("/docs/{}/{}{anchor}", language.name(), page.name).into())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// All pages of a language.
struct Book {
    language: Language,
    pages: Vec<(&'static str, Page)>,
    search: String,
}

impl Book {
    fn new(language: Language) -> Self {
        let pages: Vec<(&'static str, Page)> = all().map(|source| (source.name, Page::of(source, language))).collect();
        let sections: Vec<&Section> = pages.iter().flat_map(|(_, page)| &page.sections).collect();
        let search = serde_json::to_string(&sections).unwrap_or_default();
        Self { language, pages, search }
    }

    /// The page of that name, within its shell.
    fn page(&self, name: &str) -> Option<String> {
        let place = self.pages.iter().position(|(known, _)| *known == name)?;
        let page = &self.pages[place].1;
        let language = self.language;
        let other = if language == Language::Zh { Language::En } else { Language::Zh };
        let link = |place: Option<usize>, class: &str| {
            let Some((name, page)) = place.and_then(|place| self.pages.get(place)) else { return String::new() };
            format!("<a class=\"{class}\" href=\"/docs/{}/{name}\">{}</a>", language.name(), escaped(&page.title))
        };
        let list = |headings: &mut dyn Iterator<Item = &(HeadingLevel, String, String)>| -> String {
            let item = |(level, text, anchor): &(HeadingLevel, String, String)| {
                format!("<li class=\"{level}\"><a href=\"#{}\">{}</a></li>", escaped(anchor), escaped(text))
            };
            headings.map(item).collect()
        };
        let mut contents = page.headings.iter().filter(|(level, ..)| *level <= HeadingLevel::H3);
        Some(
            [
                ("{language}", language.tag()),
                ("{title}", &escaped(&page.title)),
                ("{site}", language.says("听检文档", "tingjian documentation")),
                ("{brand}", language.says("听检", "tingjian")),
                ("{live}", language.says("实时", "Live")),
                ("{quality}", language.says("质检", "Quality")),
                ("{rules}", language.says("规则", "Rules")),
                ("{docs}", language.says("文档", "Docs")),
                ("{skip}", language.says("跳到正文", "Skip to content")),
                ("{chapters}", language.says("目录", "Contents")),
                ("{on_page}", language.says("本页", "On this page")),
                ("{search}", language.says("搜索文档", "Search the documentation")),
                ("{copy}", language.says("复制", "Copy")),
                ("{copied}", language.says("已复制", "Copied")),
                ("{nothing}", language.says("没有找到", "Nothing was found")),
                ("{other}", &format!("/docs/{}/{name}", other.name())),
                ("{other_tag}", other.tag()),
                ("{other_name}", other.says("中文", "English")),
                ("{own}", language.name()),
                ("{sidebar}", &self.sidebar(name)),
                ("{headings}", &list(&mut contents)),
                ("{previous}", &link(place.checked_sub(1), "previous")),
                ("{next}", &link(Some(place + 1), "next")),
                // Last: what a page says is no place to put things.
                ("{body}", &page.body),
            ]
            .iter()
            .fold(SHELL.to_owned(), |html, (place, with)| html.replace(place, with)),
        )
    }

    fn sidebar(&self, current: &str) -> String {
        let mut html = String::new();
        for (zh, en, sources) in GROUPS {
            html.push_str(&format!("<h2>{}</h2><ul>", self.language.says(zh, en)));
            for source in *sources {
                let Some((_, page)) = self.pages.iter().find(|(name, _)| *name == source.name) else { continue };
                let here = if source.name == current { " aria-current=\"page\"" } else { "" };
                let title = escaped(&page.title);
                html.push_str(&format!(
                    "<li><a href=\"/docs/{}/{}\"{here}>{title}</a></li>",
                    self.language.name(),
                    source.name
                ));
            }
            html.push_str("</ul>");
        }
        html
    }
}

static BOOKS: LazyLock<[Book; 2]> = LazyLock::new(|| Language::ALL.map(Book::new));

fn book(language: &str) -> Option<&'static Book> {
    let language = Language::from_name(language)?;
    BOOKS.iter().find(|book| book.language == language)
}

/// The documentation: its first page, in the language that the browser prefers.
#[utoipa::path(get, path = "/docs", tag = "pages", responses(
    (status = 307, description = "To the first page / 到第一页"),
))]
pub(crate) async fn front(headers: HeaderMap) -> Response {
    let first = all().next().map_or("", |source| source.name);
    let mut response = Redirect::temporary(&format!("/docs/{}/{first}", Language::of(&headers).name())).into_response();
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-language"));
    response
}

/// A page of the documentation.
#[utoipa::path(get, path = "/docs/{language}/{page}", tag = "pages", params(
    ("language" = String, Path, description = "zh or en / zh 或 en"),
    ("page" = String, Path, description = "Which page / 哪一页"),
), responses(
    (status = 200, description = "The page / 页面", body = String, content_type = "text/html"),
    (status = 304, description = "As it was / 没有变化"),
    (status = 404, description = "No such page / 没有这一页", body = ErrorMessage),
))]
pub(crate) async fn page(
    State(shared): State<Arc<Shared>>,
    Path((language, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    match book(&language).and_then(|book| book.page(&name)) {
        Some(html) => pages::html(&shared, html, "", &headers),
        None => reply::error(StatusCode::NOT_FOUND, "not_found", "没有这一页 / no such page"),
    }
}

/// All words of the documentation, for the search in its pages.
#[utoipa::path(get, path = "/docs/{language}/search.json", tag = "pages", params(
    ("language" = String, Path, description = "zh or en / zh 或 en"),
), responses(
    (status = 200, description = "Sections with page, title, heading, anchor and text / 各节", body = Vec<Object>),
    (status = 304, description = "As it was / 没有变化"),
    (status = 404, description = "No such language / 没有这种语言", body = ErrorMessage),
))]
pub(crate) async fn search(Path(language): Path<String>, headers: HeaderMap) -> Response {
    match book(&language) {
        Some(book) => pages::serve(book.search.as_bytes(), "application/json", &headers),
        None => reply::error(StatusCode::NOT_FOUND, "not_found", "没有这种语言 / no such language"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path as FilePath, PathBuf};

    use pulldown_cmark::LinkType;

    use super::*;

    /// Links and anchors of a Markdown file.
    fn links_and_anchors(text: &str) -> (Vec<String>, BTreeSet<String>) {
        let (mut links, mut found, mut anchors) = (Vec::new(), BTreeSet::new(), Anchors::default());
        let mut heading: Option<String> = None;
        for event in parser(text) {
            match event {
                Event::Start(Tag::Link { dest_url, link_type, .. }) if link_type != LinkType::Email => {
                    links.push(dest_url.to_string());
                }
                Event::Start(Tag::Image { dest_url, .. }) => links.push(dest_url.to_string()),
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    found.insert(anchors.of(&heading.take().unwrap_or_default()));
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        (links, found)
    }

    fn markdown(directory: &FilePath, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
                markdown(&path, into);
            } else if name.ends_with(".md") {
                into.push(path);
            }
        }
    }

    #[test]
    fn every_link_of_every_markdown_file_leads_somewhere() {
        let root = FilePath::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        markdown(root, &mut files);
        assert!(files.len() > 40);
        let mut faults = Vec::new();
        for file in &files {
            let (links, _) = links_and_anchors(&std::fs::read_to_string(file).unwrap());
            for link in links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
                if !target.exists() {
                    faults.push(format!("{}: {link}: no such file", file.display()));
                } else if !anchor.is_empty() && target.extension().is_some_and(|extension| extension == "md") {
                    let (_, anchors) = links_and_anchors(&std::fs::read_to_string(&target).unwrap());
                    if !anchors.contains(anchor) {
                        faults.push(format!("{}: {link}: no such heading", file.display()));
                    }
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    /// The values of `attribute` in a page.
    fn attributes<'h>(html: &'h str, attribute: &str) -> Vec<&'h str> {
        let begin = format!(" {attribute}=\"");
        html.split(&begin).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    }

    #[test]
    fn every_link_of_every_page_leads_to_a_page_and_its_heading() {
        let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut pages = Vec::new();
        for book in &*BOOKS {
            for (name, _) in &book.pages {
                let html = book.page(name).unwrap();
                let path = format!("/docs/{}/{name}", book.language.name());
                let found: Vec<String> = attributes(&html, "id").into_iter().map(str::to_owned).collect();
                let unique: BTreeSet<String> = found.iter().cloned().collect();
                assert_eq!(unique.len(), found.len(), "{path}: an id is there twice");
                ids.insert(path.clone(), unique);
                pages.push((path, html));
            }
        }
        let others = ["/", "/live", "/qa", "/rules", "/docs"];
        let mut faults = Vec::new();
        for (path, html) in &pages {
            assert!(!html.contains('{') || !html.contains("{body}"), "{path}: a place was not filled");
            assert!(!html.contains(" style=") && !html.contains("<script>"), "{path}: the policy forbids it");
            for link in attributes(html, "href").into_iter().chain(attributes(html, "src")) {
                let link = link.replace("&amp;", "&");
                if link.starts_with("/assets/") || link.contains("://") || others.contains(&link.as_str()) {
                    continue;
                }
                let (page, anchor) = link.split_once('#').unwrap_or((&link, ""));
                let page = if page.is_empty() { path } else { page };
                let anchor = unescaped(anchor);
                match ids.get(page) {
                    None => faults.push(format!("{path}: {link}: no such page")),
                    Some(ids) if !anchor.is_empty() && !ids.contains(&anchor) => {
                        faults.push(format!("{path}: {link}: no such heading"));
                    }
                    Some(_) => {}
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    /// The anchor without the escapes of addresses.
    fn unescaped(anchor: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = anchor.as_bytes();
        while let [first, more @ ..] = rest {
            match (first, more) {
                (b'%', [high, low, more @ ..]) => {
                    let hex = |digit: &u8| char::from(*digit).to_digit(16).unwrap();
                    bytes.push(u8::try_from(hex(high) * 16 + hex(low)).unwrap());
                    rest = more;
                }
                _ => {
                    bytes.push(*first);
                    rest = more;
                }
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn pages_in_both_languages_have_the_same_sections() {
        for source in all().filter(|source| source.zh.is_some() && source.en.is_some()) {
            let levels = |language| -> Vec<HeadingLevel> {
                Page::of(source, language).headings.into_iter().map(|(level, ..)| level).collect()
            };
            assert_eq!(levels(Language::Zh), levels(Language::En), "{}", source.file);
        }
    }

    #[test]
    fn what_the_source_says_is_shown_as_text() {
        assert_eq!(Anchors::default().of("`WS /v1/relay/{format}` & <more>"), "ws-v1relayformat--more");
        let mut anchors = Anchors::default();
        assert_eq!(
            [anchors.of("令牌：A"), anchors.of("令牌 A"), anchors.of("令牌：A")],
            ["令牌a", "令牌-a", "令牌a-1"]
        );
        assert_eq!(escaped("<a \"b\" & c>"), "&lt;a &quot;b&quot; &amp; c&gt;");
        assert_eq!(resolved("docs", "../rules/x.yaml").as_deref(), Some("rules/x.yaml"));
        assert_eq!(resolved("docs", "../../x"), None);
    }

    #[test]
    fn a_browser_reads_its_language() {
        for (accepted, language) in
            [("", "zh"), ("en-US,en;q=0.9,zh;q=0.8", "en"), ("de, zh-CN;q=0.9, en;q=0.1", "zh"), ("fr", "zh")]
        {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, accepted.parse().unwrap());
            assert_eq!(Language::of(&headers).name(), language, "{accepted}");
        }
    }
}
