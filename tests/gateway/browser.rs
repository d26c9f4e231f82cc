//! A browser without scripts: it keeps cookies, follows what a page says, and sends forms as they stand there.

use std::collections::BTreeMap;

use regex::Regex;
use tsunagi::client::{Client, Reply};
use tsunagi_testkit::persons::DeskPerson;

/// A page as it was answered, and the path that it has.
pub struct Page {
    pub path: String,
    pub status: u16,
    pub html: String,
    reply: Reply,
}

impl Page {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.reply.header(name)
    }

    /// The whole answer.
    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    pub fn bytes(&self) -> &[u8] {
        &self.reply.body
    }

    /// The text of the page as a person reads it.
    pub fn text(&self) -> String {
        let tags = Regex::new(r"(?s)<[^>]*>").unwrap();
        unescape(&tags.replace_all(&self.html, ""))
    }

    /// The fields of the form that is sent to where the page is.
    pub fn form_here(&self) -> SentForm {
        let form = Regex::new(r#"(?s)<form method="post">(.*?)</form>"#).unwrap();
        let found = form.captures(&self.html).unwrap_or_else(|| panic!("no form in {}", self.html));
        SentForm { action: self.path.clone(), fields: controls(&found[1]) }
    }

    /// The fields of the form with an action, as a browser would send them.
    pub fn form(&self, action: &str) -> SentForm {
        let form =
            Regex::new(&format!(r#"(?s)<form[^>]*action="{}"[^>]*>(.*?)</form>"#, regex::escape(action))).unwrap();
        let found = form.captures(&self.html).unwrap_or_else(|| panic!("no form {action} in {}", self.html));
        SentForm { action: action.to_owned(), fields: controls(&found[1]) }
    }
}

/// A form that is filled in.
#[derive(Clone)]
pub struct SentForm {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl SentForm {
    /// Fills a field in that the page has.
    pub fn fill(self, name: &str, value: &str) -> Self {
        let is_there = self.fields.iter().any(|(of, _)| of == name);
        assert!(is_there, "the form has no {name}: {:?}", self.fields.iter().map(|(name, _)| name).collect::<Vec<_>>());
        self.choose(name, value)
    }

    /// Presses a button, or marks what was not marked.
    pub fn choose(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(of, _)| of != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }
}

fn controls(html: &str) -> Vec<(String, String)> {
    let control =
        Regex::new(r"(?s)<input([^>]*)>|<textarea([^>]*)>(.*?)</textarea>|<select([^>]*)>(.*?)</select>").unwrap();
    let option = Regex::new(r"(?s)<option([^>]*)>").unwrap();
    let mut fields = Vec::new();
    for found in control.captures_iter(html) {
        let (attributes, value) = if let Some(input) = found.get(1) {
            let is_mark = matches!(attribute(input.as_str(), "type").as_deref(), Some("radio" | "checkbox"));
            if is_mark && !input.as_str().contains(" checked") {
                continue;
            }
            (input.as_str(), attribute(input.as_str(), "value").unwrap_or_default())
        } else if let (Some(area), Some(text)) = (found.get(2), found.get(3)) {
            let text = text.as_str();
            (area.as_str(), unescape(text.strip_prefix('\n').unwrap_or(text)))
        } else {
            let options: Vec<&str> =
                option.captures_iter(&found[5]).map(|found| found.get(1).unwrap().as_str()).collect();
            let chosen = options.iter().find(|of| of.contains(" selected")).or(options.first()).unwrap();
            (found.get(4).unwrap().as_str(), attribute(chosen, "value").unwrap_or_default())
        };
        if let Some(name) = attribute(attributes, "name") {
            fields.push((name, value));
        }
    }
    fields
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let of = Regex::new(&format!(r#"\b{name}="([^"]*)""#)).unwrap();
    of.captures(attributes).map(|found| unescape(&found[1]))
}

pub fn unescape(html: &str) -> String {
    let signs = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">")];
    let text = signs.iter().fold(html.to_owned(), |text, (sign, letter)| text.replace(sign, letter));
    text.replace("&quot;", "\"").replace("&#38;", "&").replace("&amp;", "&")
}

/// A browser at a desk.
pub struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// At the desk of a person, who is not signed in yet.
    pub fn at_desk_of(person: &DeskPerson) -> Self {
        Self { client: person.desk().client().unwrap(), cookies: BTreeMap::new() }
    }

    /// A person signs in by the page.
    pub async fn signed_in(person: &DeskPerson) -> Self {
        let mut browser = Self::at_desk_of(person);
        let form = browser.get("/sign-in").await.form("/sign-in");
        let form = form.fill("officer", &person.officer).fill("password", &person.password);
        let form = form.fill("second_factor", &person.next_code());
        let page = browser.send(form).await;
        assert_eq!((page.status, page.path.as_str()), (200, "/"), "{}", page.html);
        browser
    }

    /// A browser at another desk of the same person, or at the same one beside this.
    pub fn beside(person: &DeskPerson, cookies: &[(&str, &str)]) -> Self {
        let cookies = cookies.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { client: person.desk().client().unwrap(), cookies }
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// A form as it would be sent, with what a browser says of where it comes from; nobody follows the answer, and no
    /// cookie of it is kept.
    pub async fn send_from(&self, form: &SentForm, headers: &[(&'static str, &str)]) -> Reply {
        let mut request = self.client.post(&form.action).header("cookie", &self.cookies());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body("application/x-www-form-urlencoded", encoded(form)).send().await.unwrap()
    }

    /// An answer as it is, wherever it leads.
    pub async fn ask(&mut self, path: &str) -> Page {
        self.get_once(path).await
    }

    /// A page, wherever one is led.
    pub async fn get(&mut self, path: &str) -> Page {
        let mut path = path.to_owned();
        loop {
            let page = self.get_once(&path).await;
            match page.header("location").filter(|_| page.status == 303) {
                Some(next) => path = next.to_owned(),
                None => return page,
            }
        }
    }

    /// A page, or where it leads.
    pub async fn get_once(&mut self, path: &str) -> Page {
        let request = self.client.get(path).header("cookie", &self.cookies()).header("sec-fetch-site", "same-origin");
        let reply = request.send().await.unwrap();
        self.keep(path, reply)
    }

    /// Sends a form, and follows where it leads.
    pub async fn send(&mut self, form: SentForm) -> Page {
        let page = self.send_once(form).await;
        self.follow(page).await
    }

    /// Sends a form, and follows nothing.
    pub async fn send_once(&mut self, form: SentForm) -> Page {
        self.post(&form.action, "application/x-www-form-urlencoded", encoded(&form)).await
    }

    /// Sends a form with a file.
    pub async fn send_with_file(&mut self, form: SentForm, (name, media_type): (&str, &str), file: &[u8]) -> Page {
        let boundary = "----boundary7MA4YWxk";
        let mut body = Vec::new();
        for (of, value) in form.fields.iter().filter(|(of, _)| of != name) {
            let part = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{of}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x\"\r\nContent-Type: {media_type}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(file);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let page = self.post(&form.action, &format!("multipart/form-data; boundary={boundary}"), body).await;
        self.follow(page).await
    }

    async fn post(&mut self, path: &str, content_type: &str, body: Vec<u8>) -> Page {
        let request = self.client.post(path).header("cookie", &self.cookies()).header("sec-fetch-site", "same-origin");
        let reply = request.body(content_type, body).send().await.unwrap();
        self.keep(path, reply)
    }

    async fn follow(&mut self, page: Page) -> Page {
        match page.header("location").filter(|_| page.status == 303) {
            Some(next) => self.get(next).await,
            None => page,
        }
    }

    /// What it sends of cookies.
    pub fn cookies(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, path: &str, reply: Reply) -> Page {
        for cookie in reply.headers.get_all("set-cookie") {
            let (pair, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page { path: path.to_owned(), status: reply.status.as_u16(), html: reply.text(), reply }
    }
}

fn encoded(form: &SentForm) -> Vec<u8> {
    let pairs = form.fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&").into_bytes()
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'*');
    text.replace('\n', "\r\n")
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
