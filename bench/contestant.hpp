// A program that bench/compare starts and asks to run its cases, in turns with other programs. It says what it has, a
// line for each, fields divided by tabs:
//
//     about, contestant, what it is         its version, its flags
//     case, contestant, name, items         one call does that many packets, or bytes
//     ready
//
// Then it reads lines "index calls", the cases counted from 0, and answers each by nanoseconds of the processor: on one
// core, those are also what threads beside the first one cost, and what other processes take does not count.
#pragma once

#include "corpus.hpp"

#include <cstddef>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bench {

class contestant {
public:
    explicit contestant(std::string name) : name_(std::move(name)) {}

    void about(std::string const& text) const { std::printf("about\t%s\t%s\n", name_.c_str(), text.c_str()); }

    // Adds a case: `work() -> bool`. It is called once, and must return true.
    template <class Work>
    void add(std::string const& name, std::size_t items, Work work) {
        require(work(), name_ + " fails in " + name);
        std::printf("case\t%s\t%s\t%zu\n", name_.c_str(), name.c_str(), items);
        // A std::function copies what it holds.
        cases().push_back([shared = std::make_shared<Work>(std::move(work)), name](std::size_t calls) {
            Work& call = *shared;
            bool good = true;
            std::clock_t const start = std::clock();
            for (std::size_t n = 0; n != calls; ++n) good = call() && good;
            std::clock_t const took = std::clock() - start;
            require(good, name + " fails");
            return static_cast<double>(took) * (1e9 / CLOCKS_PER_SEC);
        });
    }

    // Answers until the input ends.
    static int serve() {
        std::puts("ready");
        std::fflush(stdout);
        for (std::size_t index = 0, calls = 0; std::scanf("%zu %zu", &index, &calls) == 2;) {
            require(index < cases().size(), "no such case");
            std::printf("%.0f\n", cases()[index](calls));
            std::fflush(stdout);
        }
        return 0;
    }

private:
    // Of all contestants of the program.
    static std::vector<std::function<double(std::size_t)>>& cases() {
        static std::vector<std::function<double(std::size_t)>> all;
        return all;
    }

    std::string name_;
};

} // namespace bench
