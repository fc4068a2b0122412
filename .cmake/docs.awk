# What Doxygen reads instead of a header: the same code, in the form in which Doxygen understands it.
# - The comment that opens a file is about the file.
# - A comment holds for all declarations below it, up to a blank line or the next comment.
# - //=== section ===// names a group of members.
# - There are no inline namespaces, nothing of detail, no private bases, and no definitions outside of their class.
function end_group() { if (in_group) print "/// @}"; in_group = 0 }
function forget() { comment = ""; is_new = 0 }
function complain() { print "/// @endcond \"} // namespace detail\" is missing" } # which is a warning

{ match($0, /^ */); indent = RLENGTH }

FNR == 1 && /^\/\// { in_opening = 1; print "/// @file" }
in_opening { in_opening = sub(/^\/\/ ?/, "/// "); print; next }

/^namespace detail / { if (in_detail) complain(); in_detail = 1; next }
in_detail { in_detail = !/^} \/\/ namespace detail$/; if (/^#/) print; next }
END { if (in_detail) complain() }

in_definition { in_definition = !/^}|^[^ ].*[;}]$/; next }
/^(template|requires)/ && !/[;}{]$/ { before = before $0 "\n"; next }
before && /^ / { before = before $0 "\n"; next }
/^struct std::|^[a-z][^(]* ([a-z_]+(<[^(]*>)?::)+[a-z_]+\(/ {
    before = ""
    in_definition = !/[;}]$/
    forget()
    next
}

{ sub(/::inline v0/, ""); sub(/explicit\([^()]*\) /, "explicit "); sub(/ : private [a-z_:]+/, "") }

in_group && NF && indent < group { end_group() }
/^ +\/\/===.*===\/\/$/ {
    end_group()
    forget()
    gsub(/^ *\/\/=== *| *===\/\/$/, "")
    print "/// @name " toupper(substr($0, 1, 1)) substr($0, 2) "\n/// @{"
    in_group = 1
    group = indent
    next
}

/^ *\/\/\// {
    if (!is_new) comment = ""
    comment = comment $0 "\n"
    is_new = 1
    level = indent
    print
    next
}
!NF || indent < level || /^ *\/\// && indent == level { forget() }
comment && indent == level && /^ *[A-Za-z_\[:]/ && !/^ *(public|private):$|= delete;$/ {
    if (!is_new && !is_template) {
        printf "%s", comment
        if (list) print FILENAME ": " $0 > list
    }
    is_template = /^ *template /
}
NF { is_new = 0 }
{ printf "%s", before; before = ""; print }
