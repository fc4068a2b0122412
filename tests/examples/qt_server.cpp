// tests/examples/qt_server.cpp [port [cert.pem key.pem]]: the chat of lobby.hpp on Qt 6, over TCP or TLS.
#include "examples/lobby.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/wire/server.hpp>

#include <QtCore/QCoreApplication>
#include <QtCore/QFile>
#include <QtCore/QTimer>
#include <QtNetwork/QSslConfiguration>
#include <QtNetwork/QSslKey>
#include <QtNetwork/QSslSocket>
#include <QtNetwork/QTcpServer>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <map>
#include <string>

using namespace socketless;
using steady = std::chrono::steady_clock;

struct network final : QTcpServer {
    wire::server<> io{{}, {.cors = {.origins = {"*"}}}, system_random(), steady::now()};
    lobby application{io.protocol()};
    std::map<wire::connection_id, QSslSocket*> connections = {}; // for TCP too
    wire::connection_id last_id = 0;
    std::string buffer = {};
    QTimer timer{};
    bool has_tls = false;

    network() {
        timer.setSingleShot(true);
        timer.callOnTimeout([this] { drive(); });
        connect(this, &QTcpServer::acceptError, this, [this] { // no descriptors are left, say: Qt listens no more
            QTimer::singleShot(100, this, [this] { resumeAccepting(); });
        });
    }
    // Runs after each input. It never runs inside itself: all signals are queued.
    void drive() {
        for (io.handle_timeout(steady::now());;) {
            while (auto e = io.poll_event()) application.handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            perform(*t, *connections[t->connection]);
        }
        auto const left = io.poll_timeout().value_or(steady::now() + std::chrono::hours(1)) - steady::now();
        timer.start(std::max(ceil<milliseconds>(left), milliseconds(0)));
    }
    void incomingConnection(qintptr descriptor) override {
        auto const id = ++last_id;
        auto* const s = connections[id] = new QSslSocket(this);
        auto const on = [s](auto signal, auto handler) { connect(s, signal, s, handler, Qt::QueuedConnection); };
        auto const written = [=, this] { go_on(id, *s); };
        on(&QSslSocket::bytesWritten, written);
        on(&QSslSocket::encryptedBytesWritten, written);
        on(&QSslSocket::readyRead, [=, this] { read(id, *s); });
        on(&QSslSocket::disconnected, [=, this] { lose(id, *s); });
        s->setReadBufferSize(64 * 1024);
        s->setSocketDescriptor(descriptor);
        s->setSocketOption(QSslSocket::LowDelayOption, 1);
        io.accepted(id, "", steady::now());
        if (has_tls) s->startServerEncryption();
        drive();
    }
    void perform(wire::transmit const& t, QSslSocket& s) {
        if (t.type == wire::transmit_type::close) return close(t.connection);
        if (t.type == wire::transmit_type::end && has_tls) return s.disconnectFromHost();
        if (t.type == wire::transmit_type::end) return void(shutdown(static_cast<int>(s.socketDescriptor()), SHUT_WR));
        io.pause(t.connection);
        s.write(t.data.data(), static_cast<qint64>(t.data.size()));
    }
    void go_on(wire::connection_id id, QSslSocket const& s) { // pauses again, so that a slow client has more time
        s.bytesToWrite() + s.encryptedBytesToWrite() == 0 ? io.resume(id) : io.pause(id);
        drive();
    }
    void read(wire::connection_id id, QSslSocket& s) {
        auto bytes = s.readAll();
        io.received(id, {bytes.data(), static_cast<std::size_t>(bytes.size())}, steady::now());
        drive(); // then `bytes` may go
    }
    void lose(wire::connection_id id, QSslSocket& s) { // Qt closes it too when the client has ended its side
        read(id, s);
        if (s.error() == QSslSocket::RemoteHostClosedError) io.ended(id, steady::now());
        io.closed(id, steady::now());
        close(id);
        drive();
    }
    void close(wire::connection_id id) {
        auto const c = connections.extract(id);
        if (c) c.mapped()->deleteLater(); // late news of it does no harm
    }
};

int main(int argc, char** argv) {
    QCoreApplication const qt(argc, argv);
    network net;
    if (argc > 3) {
        QFile file(argv[3]);
        file.open(QFile::ReadOnly);
        auto const key = file.readAll();
        auto tls = QSslConfiguration::defaultConfiguration();
        tls.setLocalCertificateChain(QSslCertificate::fromPath(argv[2]));
        tls.setPrivateKey(key.contains("BEGIN RSA") ? QSslKey(key, QSsl::Rsa) : QSslKey(key, QSsl::Ec));
        QSslConfiguration::setDefaultConfiguration(tls);
        net.has_tls = true;
    }
    int const port = argc > 1 ? std::stoi(argv[1]) : 3000;
    if (!net.listen(QHostAddress::Any, static_cast<quint16>(port)))
        return std::cerr << "cannot listen on " << port << '\n', 1;
    std::cout << "listening on " << port << std::endl;
    return QCoreApplication::exec();
}
