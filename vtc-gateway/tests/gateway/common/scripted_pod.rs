//! A pod that does what a test says: it lists its models by itself, and hands every POST, and whatever else clients ask, to the test.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::wire::Message;
use super::{MODEL, soon};

/// The pod. It listens from its start until it is [closed](ScriptedPod::close) or dropped.
pub struct ScriptedPod {
    pub name: &'static str,
    pub address: SocketAddr,
    looks: Rc<Looks>,
    calls: UnboundedReceiver<Call>,
    serving: Option<JoinHandle<()>>,
    /// Keeps the port of a closed pod, so that nobody else begins to listen there.
    port: Option<TcpSocket>,
}

/// What it says to whoever only looks.
struct Looks {
    models: Value,
    /// At `/metrics`; it offers none unless told.
    metrics: RefCell<Option<String>>,
    /// How many of the next questions for its models it does not answer well.
    misses: Cell<usize>,
    /// How many there were that it did not.
    missed: Cell<usize>,
}

/// A request that came in whole, and its connection: it is the test that answers, or does not.
pub struct Call {
    pub request: Message,
    connection: TcpStream,
}

// === impl ScriptedPod ===

impl ScriptedPod {
    /// A pod that serves [`MODEL`], of the kind of vLLM: it reports usage in every chunk of a stream if asked.
    pub async fn start(name: &'static str) -> Self {
        Self::of_kind(name, "vllm", &[MODEL]).await
    }

    /// A pod that serves these models. Its kind is what it names as their owner.
    pub async fn of_kind(name: &'static str, kind: &str, models: &[&str]) -> Self {
        let model = |id: &&str| json!({ "id": id, "object": "model", "owned_by": kind, "of": name });
        let models = json!({ "object": "list", "data": models.iter().map(model).collect::<Vec<_>>() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, calls) = unbounded_channel();
        let (metrics, misses, missed) = (RefCell::new(None), Cell::new(0), Cell::new(0));
        let looks = Rc::new(Looks { models, metrics, misses, missed });
        let serving = Some(actix_web::rt::spawn(serve(listener, Rc::clone(&looks), sender)));
        Self { name, address, looks, calls, serving, port: None }
    }

    /// The next request.
    pub async fn call(&mut self) -> Call {
        soon(self.calls.recv()).await.unwrap()
    }

    /// The requests that have come in since, and that nobody took.
    pub fn waiting_calls(&self) -> usize {
        self.calls.len()
    }

    /// Stops listening: from now on connections are refused.
    pub async fn close(&mut self) {
        self.stop_listening().await;
        let port = TcpSocket::new_v4().unwrap();
        port.set_reuseaddr(true).unwrap();
        port.bind(self.address).unwrap();
        self.port = Some(port);
    }

    /// From now on connections are neither taken nor refused: the kernel's queue for them is full.
    pub async fn stand_still(&mut self) -> impl Sized {
        self.close().await;
        let listener = self.port.take().unwrap().listen(1).unwrap();
        let waiting = [TcpStream::connect(self.address).await, TcpStream::connect(self.address).await];
        (listener, waiting)
    }

    /// Listens again.
    pub async fn reopen(&mut self) {
        let port = self.port.take().unwrap();
        let (sender, calls) = unbounded_channel();
        self.calls = calls;
        let listener = port.listen(64).unwrap();
        self.serving = Some(actix_web::rt::spawn(serve(listener, Rc::clone(&self.looks), sender)));
    }

    /// From now on it says this at `/metrics`.
    pub fn says(&self, metrics: &str) {
        *self.looks.metrics.borrow_mut() = Some(metrics.to_owned());
    }

    /// The next so many times that it is asked for its models it does not answer well.
    pub fn will_miss(&self, times: usize) {
        self.looks.misses.set(times);
    }

    /// How often it did not.
    pub fn missed(&self) -> usize {
        self.looks.missed.get()
    }

    /// From now on every request is answered by `act`; [`call`](Self::call) sees none any more.
    pub fn always<F: Future<Output = ()> + 'static>(&mut self, act: impl Fn(Call) -> F + 'static) {
        let mut calls = std::mem::replace(&mut self.calls, unbounded_channel().1);
        actix_web::rt::spawn(async move {
            while let Some(call) = calls.recv().await {
                actix_web::rt::spawn(act(call));
            }
        });
    }

    async fn stop_listening(&mut self) {
        let serving = self.serving.take().unwrap();
        serving.abort();
        // The listener is closed when the task is gone.
        let _ = serving.await;
    }
}

impl Drop for ScriptedPod {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn serve(listener: TcpListener, looks: Rc<Looks>, calls: UnboundedSender<Call>) {
    loop {
        let (mut connection, _) = listener.accept().await.unwrap();
        let (looks, calls) = (Rc::clone(&looks), calls.clone());
        actix_web::rt::spawn(async move {
            let Some(request) = Message::read(&mut connection).await else { return };
            let line = &request.first_line;
            let is_question =
                line.starts_with("POST ") || line.contains(" /v1/") && !line.starts_with("GET /v1/models ");
            let is_scrape = line.starts_with("GET /metrics ");
            let call = Call { request, connection };
            if is_question {
                let _ = calls.send(call);
            } else if is_scrape {
                let metrics = looks.metrics.borrow().clone();
                call.answer(if metrics.is_some() { 200 } else { 404 }, &metrics.unwrap_or_default()).await;
            } else if looks.misses.get() > 0 {
                looks.misses.set(looks.misses.get() - 1);
                call.answer(500, "").await;
                looks.missed.set(looks.missed.get() + 1);
            } else {
                call.answer(200, &looks.models.to_string()).await;
            }
        });
    }
}

// === impl Call ===

impl Call {
    /// The request's body.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.request.body).unwrap()
    }

    /// Sends these very bytes. It does not matter whether they arrive.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.connection.write_all(bytes.as_ref()).await;
    }

    /// A whole answer.
    pub async fn answer(mut self, status: u16, body: &str) {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close"
        );
        self.send(format!("{head}\r\n\r\n{body}")).await;
    }

    /// A chat's whole answer, after which the connection stays open.
    pub async fn answer_chat_and_stay(&mut self) {
        let body = chat(7, 5).to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
        self.send(format!("{head}: {}\r\n\r\n{body}", body.len())).await;
    }

    /// The next request on the same connection.
    pub async fn next(mut self) -> Self {
        let request =
            soon(Message::read(&mut self.connection)).await.expect("the gateway closed the connection");
        Self { request, ..self }
    }

    /// A chat that took `prompt` and `completion` tokens.
    pub async fn answer_chat(self, prompt: u64, completion: u64) {
        self.answer(200, &chat(prompt, completion).to_string()).await;
    }

    /// The head of a stream of events.
    pub async fn begin(&mut self) {
        self.send(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\
             connection: close\r\n\r\n",
        )
        .await;
    }

    /// An event of that stream, with these data.
    pub async fn event(&mut self, data: impl ToString) {
        self.chunk(&format!("data: {}\n\n", data.to_string())).await;
    }

    /// A chunk of the body of an answer in chunks.
    pub async fn chunk(&mut self, bytes: &str) {
        self.send(format!("{:x}\r\n{bytes}\r\n", bytes.len())).await;
    }

    /// The proper end of a body in chunks.
    pub async fn finish(mut self) {
        self.send("0\r\n\r\n").await;
    }

    /// Ends the connection as a process that dies does.
    pub fn close(self) {}

    /// Ends the connection as a machine that has forgotten it does.
    pub fn reset(self) {
        self.connection.set_zero_linger().unwrap();
    }

    /// Whether the gateway has not closed the connection, as far as can be seen.
    pub fn still_listens(&self) -> bool {
        matches!(self.connection.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Waits until the gateway has closed the connection.
    pub async fn closed(mut self) {
        let mut rest = Vec::new();
        // A reset closes it, too.
        let _ = soon(self.connection.read_to_end(&mut rest)).await;
        assert!(rest.is_empty(), "the gateway went on sending");
    }
}

fn chat(prompt: u64, completion: u64) -> Value {
    let message = json!({ "role": "assistant", "content": "hello" });
    json!({
        "object": "chat.completion",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        "usage": usage(prompt, completion),
    })
}

/// A chunk of a streamed chat with a piece of text.
pub fn piece(text: &str) -> Value {
    json!({ "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": { "content": text } }] })
}

/// The same, of a pod that also says what the answer has cost so far.
pub fn counted_piece(text: &str, prompt: u64, completion: u64) -> Value {
    let mut piece = piece(text);
    piece["usage"] = usage(prompt, completion);
    piece
}

/// The extra chunk at the end of a stream, which says what it cost.
pub fn only_usage(prompt: u64, completion: u64) -> Value {
    json!({ "object": "chat.completion.chunk", "choices": [], "usage": usage(prompt, completion) })
}

fn usage(prompt: u64, completion: u64) -> Value {
    json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion })
}
