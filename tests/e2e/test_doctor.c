/* todoctl doctor in front of web servers that are set up well, and of an Apache that is broken in one
 * way after the other. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "support/stack.h"

#define SECRET "2f1d7c9b4e8a60f3955b7c21d04ae86f"

enum { TEXT_MAX = 1024, PATIENCE = 60 };

TestSuite(doctor, .timeout = 300);

static struct stack stack;

/* `more` is a setting; NULL: none. */
static void up(const char *server, const char *name, const char *more)
{
	static char setting[64];
	static const char *settings[] = {setting, "BETTER_AUTH_SECRET=" SECRET, NULL, NULL};
	snprintf(setting, sizeof setting, "SERVER=%s", server);
	settings[2] = more;
	stack = stack_make(name, settings);
	cr_assert(stack_up(&stack), "%s does not start:\n%s", server, stack.said.ptr);
}

static void down(void)
{
	cr_expect(stack_down(&stack), "it does not stop:\n%s", stack.said.ptr);
	stack_destroy(&stack);
}

/* Asks the doctor about the application, `below` a path of it; what he says is in stack.said. */
static int see_doctor(const char *below)
{
	char database[TEXT_MAX], origin[TEXT_MAX], base[TEXT_MAX], program[TEXT_MAX];
	const char *build = getenv("BUILD");
	snprintf(program, sizeof program, "%s/bin/todoctl", build ? build : "build/release");
	snprintf(database, sizeof database, "DATABASE_URL=%s", stack_value(&stack, "DATABASE_URL"));
	snprintf(origin, sizeof origin, "BETTER_AUTH_URL=%s", stack_value(&stack, "BASE_URL"));
	snprintf(base, sizeof base, "%s%s", stack_value(&stack, "BASE_URL"), below);
	const char *const command[] = {"env", database, origin, program, "doctor", "--processes", "10", base, NULL};
	int status = stack_run(&stack, command);
	buf_add_char(&stack.said, '\0');
	return status;
}

/* Until the doctor says so: old processes and results go on for a while. */
static void expect_diagnosis(const char *diagnosis, int status)
{
	int64_t end = clock_monotonic() + PATIENCE * CLOCK_SECOND;
	int got = see_doctor("");
	while ((got != status || !strstr(stack.said.ptr, diagnosis)) && clock_monotonic() < end)
		got = see_doctor("");
	cr_expect(got == status && strstr(stack.said.ptr, diagnosis), "no \"%s\" in (%d)\n%s", diagnosis, got,
	          stack.said.ptr);
}

static void expect_health(const char *server)
{
	cr_expect_eq(see_doctor(""), 0, "%s:\n%s", server, stack.said.ptr);
	cr_expect_eq(see_doctor("/"), 0, "%s:\n%s", server, stack.said.ptr);
	cr_expect(strstr(stack.said.ptr, "ok    Authorization: reaches the programs") != NULL, "%s", stack.said.ptr);
	cr_expect_neq(see_doctor("/elsewhere"), 0);
	cr_expect(strstr(stack.said.ptr, "BAD   prefix: the web server itself knows no /health here") != NULL, "%s",
	          stack.said.ptr);
}

Test(doctor, finds_nothing_wrong_with_lighttpd)
{
	up("lighttpd", "doctor-l", NULL);
	expect_health("lighttpd");
	const char *const stop[] = {"bin/stack", "database", "stop", NULL};
	cr_assert_eq(stack_run(&stack, stop), 0, "%s", stack.said.ptr);
	expect_diagnosis("BAD   ready: the database can't be reached from the programs", 1);
	down();
}

/* Whoever asks often, or sits behind a proxy with others, is no sign that something is stripped. */
Test(doctor, takes_a_limit_for_a_limit)
{
	up("lighttpd", "doctor-limit", "LIMIT_ADDRESS=1");
	const char *diagnosis = "note  Authorization: can't be judged now: this address is over LIMIT_ADDRESS";
	expect_diagnosis(diagnosis, 0);
	cr_expect(strstr(stack.said.ptr, "ok    routes: lead to every program") != NULL, "%s", stack.said.ptr);
	down();
}

/* ---- a broken Apache ---- */

/* Changes a file of the running Apache by sed(1), and lets it read its files again. */
static void operate(const char *file, const char *change)
{
	char path[TEXT_MAX];
	const char *const command[] = {"sed", "-i", change, path, NULL};
	snprintf(path, sizeof path, "%s", file);
	cr_assert_eq(stack_run(&stack, command), 0, "%s", stack.said.ptr);
	cr_assert_eq(kill((pid_t)strtol(stack_value(&stack, "WEB_PID"), NULL, 10), SIGUSR1), 0);
}

Test(doctor, names_what_is_wrong_with_an_apache)
{
	static const struct {
		const char *file;
		const char *breaks;
		const char *mends;
		const char *diagnosis;
	} faults[] = {
	        {"conf/apache/routes.conf", "s/CGIPassAuth On/CGIPassAuth Off/", "s/CGIPassAuth Off/CGIPassAuth On/",
	         "BAD   Authorization: is stripped"},
	        {"conf/apache/server.conf", "s/FcgidMaxRequestLen 1048576/FcgidMaxRequestLen 1000/",
	         "s/FcgidMaxRequestLen 1000/FcgidMaxRequestLen 1048576/",
	         "BAD   bodies: the web server refuses one of 64 KiB by itself"},
	        {"conf/apache/routes.conf", "s,\"^/api(/\\.\\*)?\\$\",\"^/app(/.*)?$\",",
	         "s,\"^/app(/\\.\\*)?\\$\",\"^/api(/.*)?$\",",
	         "BAD   routes: /api/doctor/tasks does not reach tasks.fcgi"},
	        {"conf/apache/routes.conf", "s,health.fcgi,nothing.fcgi,", "s,nothing.fcgi,health.fcgi,", "BAD   "},
	        {NULL, "$aBASE_PATH=/elsewhere", "/^BASE_PATH=/d",
	         "BAD   prefix: the programs answer, and know no /health under this path"},
	};
	char file[TEXT_MAX];
	up("apache", "doctor-a", NULL);
	expect_health("apache");
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		if (faults[i].file)
			snprintf(file, sizeof file, "%s/../%s", stack_value(&stack, "PROGRAMS"), faults[i].file);
		else
			snprintf(file, sizeof file, "%s", stack_value(&stack, "TODO_ENV_FILE"));
		operate(file, faults[i].breaks);
		expect_diagnosis(faults[i].diagnosis, 1);
		operate(file, faults[i].mends);
		expect_diagnosis("ok    Authorization: reaches the programs", 0);
	}
	down();
}
